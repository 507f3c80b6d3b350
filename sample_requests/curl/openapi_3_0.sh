#!/bin/sh
# The OpenAPI document, 3.0.3: GET /openapi-3.0.json
# Usage: sample_requests/curl/openapi_3_0.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/openapi-3.0.json"
