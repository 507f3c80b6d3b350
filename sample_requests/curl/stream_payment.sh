#!/bin/sh
# Live status of a payment: GET /v1/payments/{PAYMENT_ID}/stream
# Usage: sample_requests/curl/stream_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/$payment_id/stream"
