#!/bin/sh
# A refund that needed approval: GET /v1/approvals/{APPROVAL_ID}
# Usage: sample_requests/curl/get_approval.sh APPROVAL_ID
set -eu
approval_id=${1:?"usage: $0 APPROVAL_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/approvals/$approval_id"
