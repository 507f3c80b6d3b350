# Refunds that await approval, oldest first: GET /v1/approvals
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/approvals?status=AWAITING_APPROVAL" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
