#!/bin/sh
# What can be paid with: GET /v1/payment-methods
# Usage: sample_requests/curl/list_payment_methods.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request GET "/v1/payment-methods?currency=INR&amount=1499.50"
