#!/bin/sh
# The OpenAPI document, 3.1: GET /openapi.json
# Usage: sample_requests/curl/openapi.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/openapi.json"
