#!/bin/sh
# Writes what is made from other files: tools/render.sh writes them, tools/render.sh --check only compares.
#   k8s/payment-service.yaml                       from deploy/k8s/overlays/minikube, for `kubectl apply -f k8s/`
#   deploy/k8s/components/monitoring/rules.yaml    from deploy/prometheus/rules, for the Prometheus operator
# Needs kubectl (its kustomize) or kustomize; ends 3 with a word where there is neither.
set -eu
cd "$(dirname "$0")/.."
if command -v kustomize >/dev/null; then
    build="kustomize build"
elif command -v kubectl >/dev/null && kubectl kustomize --help >/dev/null 2>&1; then
    build="kubectl kustomize"
else
    echo "render: skipped, neither kubectl nor kustomize is here" >&2
    exit 3
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
note() { echo "# Made by tools/render.sh from $1: change that, then run it again."; }

{
    note deploy/prometheus/rules
    cat <<'EOF'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: payment-service
  labels:
    app: payment-service
spec:
  groups:
EOF
    for file in deploy/prometheus/rules/*.yml; do
        sed -e '1,/^groups:$/d' -e 's/^\(.\)/  \1/' "$file"
    done
} >"$scratch/rules.yaml"
rules=deploy/k8s/components/monitoring/rules.yaml
[ "${1:-}" = --check ] || cp "$scratch/rules.yaml" "$rules"
{
    note deploy/k8s/overlays/minikube
    $build deploy/k8s/overlays/minikube
} >"$scratch/payment-service.yaml"
[ "${1:-}" = --check ] || cp "$scratch/payment-service.yaml" k8s/payment-service.yaml
diff -u "$rules" "$scratch/rules.yaml"
diff -u k8s/payment-service.yaml "$scratch/payment-service.yaml"
