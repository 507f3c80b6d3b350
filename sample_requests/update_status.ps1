# Say that money was taken outside: PATCH /v1/payments/{PAYMENT_ID}/status
param(
    [Parameter(Mandatory = $true)][string]$PaymentId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$headers["Idempotency-Key"] = "sample-update-status-$PaymentId"
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/$PaymentId/status" -Method Patch -Headers $headers -Body (Get-Content -Raw "$PSScriptRoot/update_status.json") -ContentType "application/json" | ConvertTo-Json -Depth 8
