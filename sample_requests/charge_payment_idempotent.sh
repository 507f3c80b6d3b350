#!/bin/sh
# The same as curl/charge_payment_idempotent.sh: POST /v1/payments/charge
exec "$(dirname "$0")/curl/charge_payment_idempotent.sh"
