# A read token for a page: GET /v1/payments/{PAYMENT_ID}/read-token
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/read-token" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
