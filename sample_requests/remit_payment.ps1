# Note that the carrier handed the cash over: POST /v1/payments/{PAYMENT_ID}/remit
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-remit-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/remit" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/remit_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
