#!/bin/sh
# Create a payment without charging it: POST /v1/payments
# Usage: sample_requests/curl/create_payment.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments" create_payment.json "sample-create-payment"
