# shellcheck shell=sh
# What image.sh and image_test.sh share.

# Writes this machine's pip settings, from files and environment, into $1/pip.conf.
pip_configuration() {
    python3 -m pip config list 2>/dev/null | python3 -c '
import ast, sys

wanted = {"index-url", "extra-index-url", "find-links", "trusted-host", "cert", "proxy", "timeout", "default-timeout"}
found = {}
for line in sys.stdin:
    name, _, value = line.rstrip("\n").partition("=")
    key = name.rpartition(".")[2]
    if key in wanted:
        found[key] = ast.literal_eval(value).split()
print("[global]")
for key, values in found.items():
    print(f"{key} =", "\n    ".join(values))
' >"$1/pip.conf"
    chmod 600 "$1/pip.conf"
}

# Folders of this machine that pip's settings name: read-only volumes for the build stage (podman and buildah).
pip_mounts() {
    python3 -m pip config list 2>/dev/null | python3 -c '
import os, re, sys

text = sys.stdin.read()
# An index in a folder, .../simple, links to files beside it.
paths = {re.sub(r"/simple/?$", "", path) for path in re.findall(r"(?:file://|[\s\x27])(/[^\s\x27]+)", text)}
for path in sorted(filter(os.path.exists, paths)):
    print("--volume", f"{path}:{path}:ro")
'
}

# Version, commit and time of the source, as build arguments; the same source gives the same labels.
image_facts() {
    echo "--build-arg VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/eci_payments/__init__.py)" \
        "--build-arg REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
        "--build-arg CREATED=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo 1970-01-01T00:00:00Z)"
}
