#!/bin/sh
# A payment's refunds: GET /v1/payments/{PAYMENT_ID}/refunds
# Usage: sample_requests/curl/list_refunds.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/$payment_id/refunds"
