#!/usr/bin/env bash
# Builds the image as docker/Dockerfile says and runs it as an administrator would: not root, read-only root, no capability but
# the low port, port 443 in a network of its own; stores an instance, finds it, fetches it back, stops it by SIGTERM, and
# finds it again in a second container on the same volume. Needs root; no Docker engine. Ends with `N passed, N failed`.
#   GANTRY_IMAGE_CACHE   folder where the base system is kept between runs (default: /var/cache/gantry-image)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
skip() { echo "SKIP the image is not built: $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
[[ $(id -u) -eq 0 ]] || skip "building it without an engine needs root"
docker/install_build_deps.sh image || skip "its tools cannot be installed"

cache=${GANTRY_IMAGE_CACHE:-/var/cache/gantry-image}
work=$(mktemp -d)
tag=localhost/gantry-check:latest
name=gantry-check-$$
passed=0 failed=0
check() { # check NAME COMMAND...
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); echo "PASS $what"; else failed=$((failed + 1)); echo "FAIL $what"; fi
}
tidy() {
    timeout 30 podman --runtime runc rm --force --time 5 "$name" >/dev/null 2>&1
    ip netns delete "$name" 2>/dev/null
    rm -rf "$work"
}
trap tidy EXIT

# The base that Dockerfile names, made of Debian's packages.
if ! buildah inspect --type image docker.io/library/debian:bookworm-slim >/dev/null 2>&1; then
    mkdir -p "$cache"
    if [[ ! -s $cache/base.tar ]]; then
        debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 20 "$work/debootstrap.log"; skip "no base system could be made"; }
        rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
        tar -C "$work/base" -cf "$work/base.tar" . && mv "$work/base.tar" "$cache/base.tar"
        rm -rf "$work/base"
    fi
    container=$(buildah from scratch) && buildah add -q "$container" "$cache/base.tar" / >/dev/null &&
        buildah commit -q --format docker --rm "$container" docker.io/library/debian:bookworm-slim >/dev/null || exit 1
fi

check the_image_is_built timeout 900 buildah bud --isolation chroot --pull=never --format docker --layers=false \
    -f docker/Dockerfile -t "$tag" . >"$work/build.log" 2>&1
((failed)) && { tail -n 40 "$work/build.log"; echo "$passed passed, $failed failed"; exit 1; }
buildah inspect --type image "$tag" >"$work/image.json"
is_not_root() { grep -q '"User": "10001"' "$work/image.json"; }
check it_runs_as_another_user_than_root is_not_root

ip netns delete "$name" 2>/dev/null # of a run that was killed
ip netns add "$name" && nsenter --net=/run/netns/"$name" ip link set lo up || exit 1
mkdir -p "$work/data" && chown 10001 "$work/data" && chmod 700 "$work/data"
# This machine may lack the right to raise limits: hence the two --ulimit.
start() {
    podman --runtime runc run -d --name "$name" --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --cap-drop=ALL --cap-add=NET_BIND_SERVICE --read-only --read-only-tmpfs=false --security-opt no-new-privileges \
        --network ns:/run/netns/"$name" --pull=never -v "$work/data:/data" "${settings[@]}" "$tag" >/dev/null 2>"$work/run.log"
}
call() { nsenter --net=/run/netns/"$name" curl -sS --max-time 20 --cacert "$work/data/tls/ca.pem" "$@"; }
is_ready() { # bounded wait
    # A start makes a certificate and opens the catalog.
    for _ in $(seq 600); do
        [[ -s $work/data/tls/ca.pem ]] && call -f -o /dev/null https://localhost/readyz 2>/dev/null && return 0
        sleep 0.1
    done
    podman logs "$name" 2>&1 | tail -n 20
    return 1
}
refuses() {
    settings=()
    timeout 60 podman --runtime runc run --name "$name" --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --cap-drop=ALL --cap-add=NET_BIND_SERVICE --read-only --read-only-tmpfs=false --network ns:/run/netns/"$name" --pull=never \
        -v "$work/data:/data" "$tag" >"$work/refused.log" 2>&1 && return 1
    podman --runtime runc rm --force "$name" >/dev/null 2>&1
    grep -q 'no authentication is configured' "$work/refused.log"
}
check it_does_not_start_open_to_everyone_unless_told_so refuses
settings=(-e GANTRY_PUBLIC_URL=https://localhost -e GANTRY_AUTH=none)
[[ -n ${GANTRY_IMAGE_SETTINGS:-} ]] && read -ra more <<<"$GANTRY_IMAGE_SETTINGS" && settings+=("${more[@]}")
check it_starts_with_a_read_only_root start
check it_answers_on_port_443 is_ready
/usr/bin/python3 -B - "$work/one.dcm" <<'PYTHON'
import sys
sys.path.insert(0, "tests/web")
from gantry import make_dicom
open(sys.argv[1], "wb").write(make_dicom(study="1.2.826.0.1.3680043.10.1081.77"))
PYTHON
stores() { [[ $(call -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/dicom' --data-binary @"$work/one.dcm" https://localhost/dicom-web/studies) == 200 ]]; }
finds() { call 'https://localhost/dicom-web/studies?StudyInstanceUID=1.2.826.0.1.3680043.10.1081.77' | grep -q 00081190; }
gives() {
    call -H 'Accept: application/dicom; transfer-syntax=*' -o "$work/back.dcm" \
        "$(grep -oE 'https://localhost/dicom-web/studies/[0-9.]+/series/[0-9.]+/instances/[0-9.]+' "$work/answer" | head -n 1)" &&
        cmp "$work/one.dcm" "$work/back.dcm"
}
writes_nothing_else() { [[ $(podman --runtime runc diff "$name" 2>/dev/null | grep -cvE '^[AC] /(data|etc|dev|proc|sys|run)(/|$)') -eq 0 ]]; }
stops() {
    local from=$SECONDS
    podman --runtime runc kill --signal TERM "$name" >/dev/null && timeout 40 podman --runtime runc wait "$name" >"$work/status" &&
        [[ $(cat "$work/status") == 0 ]] && echo "stopped after $((SECONDS - from)) s"
}
check it_stores stores
check it_finds finds
check it_gives_the_same_bytes_back gives
check it_writes_nothing_but_its_volume writes_nothing_else
check it_stops_by_sigterm_as_process_1 stops
podman --runtime runc rm --force "$name" >/dev/null 2>&1
check it_starts_again start
check it_answers_again is_ready
check what_was_stored_is_still_there finds
check it_stops_again stops
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
