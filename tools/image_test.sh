#!/bin/sh
# Builds the image without any image registry and runs it as a cluster would: tools/image_test.sh
# The base is made by mmdebstrap and stands in under the name that the Dockerfile gives. Needs root, as mmdebstrap's
# packages and the mounts of the run do. Ends 3 with a word where something that it needs is missing.
set -eu
cd "$(dirname "$0")/.."
. tools/image_common.sh

skip() {
    echo "image-test: skipped, $1"
    exit 3
}
[ "$(id -u)" = 0 ] || skip "it needs root"
for tool in buildah mmdebstrap unshare; do
    command -v "$tool" >/dev/null || skip "$tool is missing (Debian has a package of that name)"
done

base=docker.io/library/python:3.11-slim-bookworm
cache=${XDG_CACHE_HOME:-$HOME/.cache}/eci-payments-image-test
scratch=$(mktemp -d)
# A store of its own: what the machine's other images are is nobody's business here.
buildah() { command buildah --root "$scratch/store" --runroot "$scratch/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"; }
cleanup() {
    buildah umount --all >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir -p "$cache"
find "$cache" -name 'base*.tar' -mtime +7 -delete
if [ ! -s "$cache/base.tar" ]; then
    echo "making the base with mmdebstrap"
    sources=$(find /etc/apt -maxdepth 2 -type f \( -name "*.list" -o -name "*.sources" -o -name sources.list \) -size +0c)
    # shellcheck disable=SC2086 # a list of files
    mmdebstrap --quiet --variant=apt --include=python3.11,python3.11-venv,ca-certificates \
        --customize-hook='ln -s /usr/bin/python3.11 "$1/usr/local/bin/python3"' \
        --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
        bookworm "$cache/base.$$.tar" $sources 2>"$scratch/mmdebstrap.log" || {
        cat "$scratch/mmdebstrap.log" >&2
        exit 1
    }
    mv "$cache/base.$$.tar" "$cache/base.tar"
fi

container=$(buildah from scratch)
buildah add --quiet "$container" "$cache/base.tar" / >/dev/null
buildah commit --quiet --format docker "$container" "$base" >/dev/null
buildah rm "$container" >/dev/null

pip_configuration "$scratch"
echo "building"
# shellcheck disable=SC2046 # words
buildah bud --quiet --isolation=chroot --format docker --pull-never $(pip_mounts) $(image_facts) \
    --secret "id=pip_conf,src=$scratch/pip.conf" --tag eci-payments:test . >"$scratch/build.log" 2>&1 || {
    tail -40 "$scratch/build.log" >&2
    exit 1
}
buildah inspect --type image eci-payments:test >"$scratch/image.json"
container=$(buildah from --pull-never eci-payments:test)
rootfs=$(buildah mount "$container")
[ -z "${KEEP:-}" ] || { echo "kept: $scratch $rootfs"; trap - EXIT; }
python3 tools/image_run.py "$rootfs" "$scratch/image.json" "$scratch/pip.conf"
