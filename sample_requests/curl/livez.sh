#!/bin/sh
# Liveness: GET /livez
# Usage: sample_requests/curl/livez.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/livez"
