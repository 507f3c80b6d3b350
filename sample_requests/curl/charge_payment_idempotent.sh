#!/bin/sh
# The same charge twice with one Idempotency-Key: POST /v1/payments/charge
# Usage: sample_requests/curl/charge_payment_idempotent.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
first=$(request POST /v1/payments/charge charge_payment.json "sample-charge-payment")
second=$(request POST /v1/payments/charge charge_payment.json "sample-charge-payment")
[ "$first" = "$second" ] || { echo "the answers differ" >&2 && exit 1; }
echo "$second"
