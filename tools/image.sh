#!/bin/sh
# Builds the image with whichever of docker, podman and buildah works here: tools/image.sh [tag]
# pip's configuration of this machine (index, certificates) is passed for the one instruction that installs.
set -eu
cd "$(dirname "$0")/.."
tag=${1:-eci-payments:$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/eci_payments/__init__.py)}
. tools/image_common.sh

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    builder="docker build"
elif command -v podman >/dev/null; then
    builder="podman build"
elif command -v buildah >/dev/null; then
    builder="buildah bud --format docker"
else
    echo "image: skipped, none of docker (running), podman and buildah is here" >&2
    exit 3
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pip_configuration "$scratch"
case $builder in docker*) ;; *) set -- $(pip_mounts) ;; esac
case $builder in docker*) set -- ;; esac
# shellcheck disable=SC2086 # a builder is words
$builder "$@" $(image_facts) --secret "id=pip_conf,src=$scratch/pip.conf" --tag "$tag" .
echo "built $tag with ${builder%% *}"
