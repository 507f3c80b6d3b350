#!/bin/sh
# Makes what a release consists of, into dist/: the wheel, its bill of materials (CycloneDX), their checksums.
# tools/release.sh [folder of the Python tools' programs]; nothing is published, and the same commit gives the same files.
set -eu
cd "$(dirname "$0")/.."
tools=${1:-.venv/deploy/bin}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/eci_payments/__init__.py)
grep -q "^## $version" CHANGELOG.md || {
    echo "release: CHANGELOG.md has no section $version" >&2
    exit 1
}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
rm -rf dist
mkdir dist
.venv/bin/python -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation --no-index --wheel-dir dist .
sbom=dist/eci_payments-$version.cdx.json
if [ -x "$tools/cyclonedx-py" ]; then
    # It reads neither a licence that is an expression nor a version that is elsewhere: it is told the little it needs.
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    printf '[project]\nname = "eci-payments"\nversion = "%s"\n' "$version" >"$scratch/pyproject.toml"
    # What only builds is in no installation.
    python3 tools/shipped.py >"$scratch/requirements.lock"
    "$tools/cyclonedx-py" requirements "$scratch/requirements.lock" --pyproject "$scratch/pyproject.toml" --mc-type application \
        --output-reproducible --output-format JSON --outfile "$sbom" >/dev/null
else
    echo "release: no bill of materials, cyclonedx-py is missing"
fi
(cd dist && sha256sum -- *.whl *.json 2>/dev/null >SHA256SUMS || sha256sum -- *.whl >SHA256SUMS)
ls -l dist
