# Payments, newest first: GET /v1/payments
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/payments?status=COMPLETED&page_size=5" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
