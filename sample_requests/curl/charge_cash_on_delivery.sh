#!/bin/sh
# Take an order that is paid at the door: POST /v1/payments/charge
# Usage: sample_requests/curl/charge_cash_on_delivery.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/charge" charge_cash_on_delivery.json "sample-charge-cash-on-delivery"
