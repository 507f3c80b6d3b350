#!/bin/sh
# A payment by its order: GET /v1/payments/order/{ORDER_ID}
# Usage: sample_requests/curl/get_payment_by_order.sh ORDER_ID
set -eu
order_id=${1:?"usage: $0 ORDER_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/order/$order_id"
