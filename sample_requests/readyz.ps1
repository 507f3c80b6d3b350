# Readiness: GET /readyz
param(
    [string]$BaseUrl = "http://localhost:8086",
    [string]$ApiKey = $env:API_KEY
)
$ErrorActionPreference = 'Stop'
$headers = @{}
if ($ApiKey) { $headers["Authorization"] = "Bearer $ApiKey" }
Invoke-RestMethod -Uri "$BaseUrl/readyz" -Method Get -Headers $headers
