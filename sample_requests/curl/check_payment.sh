#!/bin/sh
# The payment whose transaction_id stands in check_payment.json: GET /v1/payments/transaction/{TRANSACTION_ID}
# Usage: sample_requests/curl/check_payment.sh [TRANSACTION_ID]
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/transaction/${1:-$(sed -n 's/.*"transaction_id": *"\(.*\)".*/\1/p' check_payment.json)}"
