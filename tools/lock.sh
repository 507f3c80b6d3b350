#!/bin/sh
# Writes requirements.lock (what runs) and requirements-dev.lock (what runs, and the tools), pinned and hashed.
# No registry's address enters them: whoever installs uses their own.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}
compile --upgrade --group build pyproject.toml --output-file requirements.lock
compile --upgrade --group build --group dev --constraints requirements.lock pyproject.toml \
    --output-file requirements-dev.lock
# The checks of a deployment need many packages, and nothing else needs them.
compile --upgrade --group deploy --output-file requirements-deploy.lock
