#!/bin/sh
# Refunds that await approval, oldest first: GET /v1/approvals
# Usage: sample_requests/curl/list_approvals.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/approvals?status=AWAITING_APPROVAL"
