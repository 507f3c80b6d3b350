# Approve or reject a large refund: POST /v1/approvals/{APPROVAL_ID}
param(
    [Parameter(Mandatory = $true)][string]$ApprovalId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-decide-approval-$ApprovalId"
Invoke-RestMethod -Uri "$BaseUrl/v1/approvals/$ApprovalId" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/decide_approval.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
