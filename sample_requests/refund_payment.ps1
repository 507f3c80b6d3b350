# Refund a part: POST /v1/payments/{PAYMENT_ID}/refund
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-refund-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/refund" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/refund_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
