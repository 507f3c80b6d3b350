#!/bin/sh
# Authorize now, capture later: POST /v1/payments/charge
# Usage: sample_requests/curl/authorize_payment.sh
set -eu
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/charge" authorize_payment.json "sample-authorize-payment"
