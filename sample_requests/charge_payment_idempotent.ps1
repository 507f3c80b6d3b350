# The same charge twice with one Idempotency-Key: the second answer is the first one again, and nothing is taken twice.
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY,
    [string]$Key = [guid]::NewGuid().ToString()
)
$ErrorActionPreference = 'Stop'
$headers = @{ "Idempotency-Key" = $Key }
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
$body = Get-Content -Raw "$PSScriptRoot/charge_payment.json" | ConvertFrom-Json
$body.order_id = Get-Random -Minimum 100000 -Maximum 2000000000
$body = $body | ConvertTo-Json

$answers = foreach ($try in 1, 2) {
    $answer = Invoke-WebRequest -UseBasicParsing -Uri "$BaseUrl/v1/payments/charge" -Method Post -Headers $headers -Body $body -ContentType "application/json"
    $payment = $answer.Content | ConvertFrom-Json
    Write-Host "Try ${try}: $($answer.StatusCode) payment $($payment.payment_id) $($payment.status), replayed: $($answer.Headers['Idempotent-Replayed'])"
    $answer.Content
}
if ($answers[0] -ne $answers[1]) { throw "The answers differ" }
Write-Host "Both answers are the same: one payment, charged once."
