# Charge an order: POST /v1/payments/charge
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-charge-payment"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/charge" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/charge_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
