#!/bin/sh
# Metrics: GET /metrics
# Usage: sample_requests/curl/metrics.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/metrics"
