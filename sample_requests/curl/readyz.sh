#!/bin/sh
# Readiness: GET /readyz
# Usage: sample_requests/curl/readyz.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/readyz"
