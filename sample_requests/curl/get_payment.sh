#!/bin/sh
# A payment by its id: GET /v1/payments/{PAYMENT_ID}
# Usage: sample_requests/curl/get_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/$payment_id"
