#!/bin/sh
# Charge a payment that was created: POST /v1/payments/{PAYMENT_ID}/confirm
# Usage: sample_requests/curl/confirm_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/confirm" confirm_payment.json "sample-confirm-payment-$payment_id"
