# Swagger UI: GET /docs
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/docs" -Method Get -Headers $headers
