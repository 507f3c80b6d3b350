#!/bin/sh
# Note that the courier collected the cash: POST /v1/payments/{PAYMENT_ID}/collect
# Usage: sample_requests/curl/collect_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/collect" collect_payment.json "sample-collect-payment-$payment_id"
