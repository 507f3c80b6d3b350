#!/bin/sh
# Charge by UPI: POST /v1/payments/charge
# Usage: sample_requests/curl/charge_payment_upi.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/charge" charge_payment_upi.json "sample-charge-payment-upi"
