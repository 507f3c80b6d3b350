#!/bin/sh
# Payments, newest first: GET /v1/payments
# Usage: sample_requests/curl/list_payments.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payments?status=COMPLETED&page_size=5"
