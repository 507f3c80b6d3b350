#!/bin/sh
# Capture a part of an authorization, release the rest: POST /v1/payments/{PAYMENT_ID}/capture
# Usage: sample_requests/curl/capture_payment.sh PAYMENT_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/capture" capture_payment.json "sample-capture-payment-$payment_id"
