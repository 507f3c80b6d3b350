#!/bin/sh
# Note that a refund of cash was paid by hand: POST /v1/payments/{PAYMENT_ID}/refunds/{REFUND_ID}/paid
# Usage: sample_requests/curl/mark_refund_paid.sh PAYMENT_ID REFUND_ID
set -eu
payment_id=${1:?"usage: $0 PAYMENT_ID REFUND_ID"}
refund_id=${2:?"usage: $0 PAYMENT_ID REFUND_ID"}
cd "$(dirname "$0")/.."
. curl/common.sh
request POST "/v1/payments/$payment_id/refunds/$refund_id/paid" "" "sample-mark-refund-paid-$payment_id-$refund_id"
