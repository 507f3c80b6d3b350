#!/bin/sh
# A payment by the id that customers see: GET /v1/payments/transaction/{TRANSACTION_ID}
# Usage: sample_requests/curl/get_payment_by_transaction.sh TRANSACTION_ID
set -eu
transaction_id=${1:?"usage: $0 TRANSACTION_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/transaction/$transaction_id"
