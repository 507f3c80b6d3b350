# Create a payment without charging it: POST /v1/payments
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-create-payment"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/create_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
