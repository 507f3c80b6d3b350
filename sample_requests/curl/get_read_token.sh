#!/bin/sh
# A read token for a page: GET /v1/payments/{PAYMENT_ID}/read-token
# Usage: sample_requests/curl/get_read_token.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments/$payment_id/read-token"
