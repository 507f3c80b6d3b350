#!/bin/sh
# Refund all that is left: POST /v1/payments/{PAYMENT_ID}/refund
# Usage: sample_requests/curl/refund_payment_full.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/refund" refund_payment_full.json "sample-refund-payment-full-$payment_id"
