#!/bin/sh
# Cancel: void an authorization, or drop what was never charged: DELETE /v1/payments/{PAYMENT_ID}
# Usage: sample_requests/curl/cancel_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request DELETE "/v1/payments/$payment_id" "" "sample-cancel-payment-$payment_id"
