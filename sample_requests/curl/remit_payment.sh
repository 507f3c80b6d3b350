#!/bin/sh
# Note that the carrier handed the cash over: POST /v1/payments/{PAYMENT_ID}/remit
# Usage: sample_requests/curl/remit_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/remit" remit_payment.json "sample-remit-payment-$payment_id"
