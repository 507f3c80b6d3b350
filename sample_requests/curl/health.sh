#!/bin/sh
# Health: GET /health
# Usage: sample_requests/curl/health.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/health"
