#!/bin/sh
# Charge an order: POST /v1/payments/charge
# Usage: sample_requests/curl/charge_payment.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/charge" charge_payment.json "sample-charge-payment"
