# Live status of a payment: GET /v1/payments/{PAYMENT_ID}/stream
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-WebRequest -UseBasicParsing -Uri "$BaseUrl/v1/payments/$PaymentId/stream" -Headers $headers | Select-Object -ExpandProperty Content
