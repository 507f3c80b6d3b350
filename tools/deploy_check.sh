#!/bin/sh
# All that can be known of the deployment without a cluster: tools/deploy_check.sh [folder of the Python tools' programs]
# A tool that is not here is skipped with a word; a check that fails ends with 1 after all others have run.
set -u
cd "$(dirname "$0")/.."
tools=${1:-.venv/deploy/bin}
PATH="$PWD/$tools:$PATH"
export PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
skipped=0

# check NAME TOOL COMMAND...: runs it where the tool is here; its output is shown when it fails.
check() {
    name=$1 tool=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        echo "skipped  $name: $tool is missing"
        skipped=$((skipped + 1))
        return
    fi
    "$@" >"$scratch/output" 2>&1
    case $? in
        0) echo "passed   $name" ;;
        3) echo "skipped  $name: $(tail -1 "$scratch/output")" && skipped=$((skipped + 1)) ;;
        *) echo "FAILED   $name" && cat "$scratch/output" && failed=1 ;;
    esac
}
waivers() { [ "$(grep -c '^  - CKV' deploy/checkov.yaml)" -le 3 ] || { echo "more than three waivers" && return 1; }; }
render() { $kustomize "deploy/k8s/overlays/$1" >"$scratch/$1.yaml"; }
strict() { kubernetes-validate -k "$1" --strict --quiet "$2"; }
scan() { checkov --config-file deploy/checkov.yaml --skip-download "$@"; }
rule_tests() (cd deploy/prometheus/tests && promtool test rules ./*_test.yml)

check "Dockerfile (hadolint)" hadolint hadolint Dockerfile
check "compose.yaml (the Compose specification's schema)" check-jsonschema check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
check "k8s/ and the operator's rules are what they are made from" sh tools/render.sh --check

if command -v kustomize >/dev/null; then kustomize="kustomize build"; else kustomize="kubectl kustomize"; fi
for overlay in minikube production; do
    check "kustomize $overlay" "${kustomize%% *}" render "$overlay"
    # Where nothing renders, what was rendered from it before is looked at all the same.
    [ -s "$scratch/$overlay.yaml" ] || [ "$overlay" != minikube ] || cp k8s/payment-service.yaml "$scratch/minikube.yaml"
    [ -s "$scratch/$overlay.yaml" ] || continue
    # Custom resources have no schema here: their operators' versions decide.
    python3 tools/core_resources.py "$scratch/$overlay.yaml" >"$scratch/$overlay-core.yaml" || failed=1
    for version in 1.29 1.32 1.37; do
        check "$overlay, strict schemas of Kubernetes $version" kubernetes-validate strict "$version" "$scratch/$overlay-core.yaml"
    done
    check "$overlay (checkov)" checkov scan --file "$scratch/$overlay.yaml"
done
check "the Ingress example, strict schemas of Kubernetes 1.37" kubernetes-validate strict 1.37 deploy/k8s/examples/ingress.yaml
check "Dockerfile (checkov)" checkov scan --file Dockerfile
check "at most three waivers" grep waivers
check "rules (promtool)" promtool promtool check rules deploy/prometheus/rules/recording.yml deploy/prometheus/rules/alerts.yml
check "rules tested (promtool)" promtool rule_tests
check "scraping (promtool)" promtool promtool check config deploy/prometheus/prometheus.yml
check "haproxy.cfg" haproxy haproxy -c -f deploy/haproxy/haproxy.cfg
for script in tools/*.sh deploy/k8s/overlays/minikube/roles.sh; do
    check "$script parses" sh sh -n "$script"
done

echo "deploy-check: $([ $failed = 0 ] && echo passed || echo FAILED), $skipped skipped"
exit $failed
