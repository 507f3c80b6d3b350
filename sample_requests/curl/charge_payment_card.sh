#!/bin/sh
# Charge a card (a published test number): POST /v1/payments/charge
# Usage: sample_requests/curl/charge_payment_card.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/charge" charge_payment_card.json "sample-charge-payment-card"
