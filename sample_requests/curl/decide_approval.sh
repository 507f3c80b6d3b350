#!/bin/sh
# Approve or reject a large refund: POST /v1/approvals/{APPROVAL_ID}
# Usage: sample_requests/curl/decide_approval.sh APPROVAL_ID
set -eu
approval_id=${1:?"usage: $0 APPROVAL_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/approvals/$approval_id" decide_approval.json "sample-decide-approval-$approval_id"
