# What can be paid with: GET /v1/payment-methods
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/payment-methods?currency=INR&amount=1499.50" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
