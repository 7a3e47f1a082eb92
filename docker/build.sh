#!/usr/bin/env bash
# Builds the image with docker, podman or buildah, whichever is there: docker/build.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-gantry:latest}
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    exec docker build -f docker/Dockerfile -t "$tag" .
elif command -v podman >/dev/null; then
    exec podman build --format docker -f docker/Dockerfile -t "$tag" .
elif command -v buildah >/dev/null; then
    exec buildah bud --isolation chroot --format docker -f docker/Dockerfile -t "$tag" .
fi
echo "docker, podman or buildah is needed" >&2
exit 1
