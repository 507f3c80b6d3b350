#!/bin/sh
# Tell of a payment as the sandbox does, signed with SANDBOX_WEBHOOK_SECRET: POST /v1/gateways/{ACCOUNT}/webhooks
# Usage: SANDBOX_WEBHOOK_SECRET=whsec_... sample_requests/curl/gateway_webhook.sh [ACCOUNT]
set -eu
account=${1:-sandbox}
secret=${SANDBOX_WEBHOOK_SECRET:?"set SANDBOX_WEBHOOK_SECRET to one of the service's SANDBOX_WEBHOOK_SECRETS"}
cd "$(dirname "$0")/.."
. curl/common.sh
id=evt_sample_1 now=$(date +%s)
key=$(printf '%s' "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$({ printf '%s.%s.' "$id" "$now"; cat gateway_webhook.json; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
curl --silent --show-error --fail-with-body --max-time 30 --header 'Content-Type: application/json' \
    --header "webhook-id: $id" --header "webhook-timestamp: $now" --header "webhook-signature: v1,$signature" \
    --data-binary @gateway_webhook.json "$BASE_URL/v1/gateways/$account/webhooks"
echo
