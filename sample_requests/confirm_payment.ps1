# Charge a payment that was created: POST /v1/payments/{PAYMENT_ID}/confirm
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-confirm-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/confirm" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/confirm_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
