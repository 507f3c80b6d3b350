# shellcheck shell=sh
# What every sample shares. BASE_URL: where the service is. API_KEY: only where one is asked for. KEY: an
# Idempotency-Key of your own; each sample has a fixed one, so that running it again takes nothing twice.
BASE_URL=${BASE_URL:-http://localhost:8086}

# request METHOD PATH [BODY_FILE] [IDEMPOTENCY_KEY]: prints the answer; fails for an error, which is printed too.
request() {
    method=$1 path=$2 body=${3:-} key=${KEY:-${4:-}}
    set -- --silent --show-error --fail-with-body --max-time 30 --request "$method"
    [ -z "$body" ] || set -- "$@" --header 'Content-Type: application/json' --data-binary "@$body"
    [ -z "$key" ] || set -- "$@" --header "Idempotency-Key: $key"
    # The API key goes through standard input: a command line is read by everybody on the machine.
    if [ -n "${API_KEY:-}" ]; then
        printf 'Authorization: Bearer %s\n' "$API_KEY" | curl "$@" --header @- "$BASE_URL$path"
    else
        curl "$@" "$BASE_URL$path"
    fi
    echo
}
