# A refund that needed approval: GET /v1/approvals/{APPROVAL_ID}
param(
    [Parameter(Mandatory = $true)][string]$ApprovalId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/approvals/$ApprovalId" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
