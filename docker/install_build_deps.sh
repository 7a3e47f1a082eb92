#!/usr/bin/env bash
# Installs what building, testing or measuring Gantry needs on Debian 12, if it is missing.
# Usage: docker/install_build_deps.sh [build] [test] [fuzz] [bench] [image]   (default: build)
# The Dockerfile, ./run, ./test and .ci/run all call this one, so the lists stand here only.
set -euo pipefail

build=(
    build-essential
    cmake
    ninja-build
    pkg-config
    libmicrohttpd-dev
    libnghttp2-dev
    libgnutls28-dev
    libcurl4-gnutls-dev
    libdcmtk-dev
    libcharls-dev
    libopenjp2-7-dev
    libopenjph-dev
    libjxl-dev
    libjpeg62-turbo-dev
    libjansson-dev
    libsqlite3-dev
    libinih-dev
    zlib1g-dev
    libexpat1-dev
    libzstd-dev
    libpng-dev
    libgif-dev
    libwebp-dev
    liblcms2-dev
    libfreetype-dev
    fonts-dejavu-core
)
test=(
    curl
    openssl
    gnutls-bin
    testssl.sh
    sslscan
    zstd
    nghttp2-client
    dcmtk
    libgdcm-tools
    python3
    python3-pydicom
    python3-numpy
    python3-pil
    clang-format-14
)
fuzz=(
    clang-14
    libclang-rt-14-dev
)
bench=(
    nginx-light
    nghttp2-client
    orthanc
    orthanc-dicomweb
    python3
    openssl
    curl
)

image=(
    buildah
    podman
    runc
    debootstrap
    iproute2
    util-linux
    curl
    python3
    python3-pydicom
    python3-numpy
)

wanted=()
for group in "${@:-build}"; do
    case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    image) wanted+=("${image[@]}") ;;
    *) echo "unknown group: $group (build, test, fuzz, bench, image)" >&2; exit 2 ;;
    esac
done
# Any Node.js from version 18 on does; Debian's is taken where there is none.
if [[ " $* " == *" test "* ]] && ! { command -v node && command -v npm; } >/dev/null 2>&1; then
    wanted+=(nodejs npm)
fi

missing=()
for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

sudo=()
if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "missing packages: ${missing[*]}; run as root or install sudo" >&2; exit 1; }
    sudo=(sudo)
fi
echo "installing: ${missing[*]}" >&2
# No service may be started by its package: tests and benches start their own.
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
