#!/bin/sh
# Refund a part: POST /v1/payments/{PAYMENT_ID}/refund
# Usage: sample_requests/curl/refund_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/refund" refund_payment.json "sample-refund-payment-$payment_id"
