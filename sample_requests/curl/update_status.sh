#!/bin/sh
# Say that money was taken outside: PATCH /v1/payments/{PAYMENT_ID}/status
# Usage: sample_requests/curl/update_status.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request PATCH "/v1/payments/$payment_id/status" update_status.json "sample-update-status-$payment_id"
