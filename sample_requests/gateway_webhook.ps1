# Tell of a payment as the sandbox does, signed with its secret: POST /v1/gateways/{ACCOUNT}/webhooks
param(
    [string]$Account = "sandbox",
    [string]$Secret = $env:SANDBOX_WEBHOOK_SECRET,
    [string]$BaseUrl = "http://localhost:8086"
)
$ErrorActionPreference = 'Stop'
$id = "evt_sample_1"
$now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
$body = [IO.File]::ReadAllBytes("$PSScriptRoot/gateway_webhook.json")
$signed = [Text.Encoding]::UTF8.GetBytes("$id.$now.") + $body
$hmac = [Security.Cryptography.HMACSHA256]::new([Convert]::FromBase64String(($Secret -replace '^whsec_', '')))
$headers = @{
    "webhook-id" = $id
    "webhook-timestamp" = "$now"
    "webhook-signature" = "v1," + [Convert]::ToBase64String($hmac.ComputeHash($signed))
}
Invoke-RestMethod -Uri "$BaseUrl/v1/gateways/$Account/webhooks" -Method Post -Headers $headers -Body $body -ContentType "application/json" | ConvertTo-Json
