# Capture a part of an authorization, release the rest: POST /v1/payments/{PAYMENT_ID}/capture
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-capture-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/capture" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/capture_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
