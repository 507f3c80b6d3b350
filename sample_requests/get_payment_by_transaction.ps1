# A payment by the id that customers see: GET /v1/payments/transaction/{TRANSACTION_ID}
param(
    [Parameter(Mandatory = $true)][string]$TransactionId,
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/v1/payments/transaction/$TransactionId" -Method Get -Headers $headers | ConvertTo-Json -Depth 8
