# Cancel: void an authorization, or drop what was never charged: DELETE /v1/payments/{PAYMENT_ID}
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-cancel-payment-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId" -Method Delete -Headers $headers | ConvertTo-Json -Depth 8
