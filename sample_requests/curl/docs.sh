#!/bin/sh
# Swagger UI: GET /docs
# Usage: sample_requests/curl/docs.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/docs"
