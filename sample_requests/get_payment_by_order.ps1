# A payment by its order: GET /v1/payments/order/{ORDER_ID}
param(
    [Parameter(Mandatory = $true)][string]$OrderId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/order/$OrderId" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
