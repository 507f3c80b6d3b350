# Note that a refund of cash was paid by hand: POST /v1/payments/{PAYMENT_ID}/refunds/{REFUND_ID}/paid
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [Parameter(Mandatory = $true)][string]$RefundId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-mark-refund-paid-$PaymentId-$RefundId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/refunds/$RefundId/paid" -Method Post -Headers $headers | ConvertTo-Json -Depth 8
