# Note that the courier collected the cash: POST /v1/payments/{PAYMENT_ID}/collect
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-collect-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/collect" -Method Post -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/collect_payment.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
