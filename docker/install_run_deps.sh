#!/usr/bin/env bash
# Installs the libraries that the gantry binary needs at run time, and nothing else. As root, in the image.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
    libmicrohttpd12 \
    libnghttp2-14 \
    libgnutls30 \
    libcurl3-gnutls \
    libdcmtk17 \
    libjansson4 \
    libsqlite3-0 \
    libinih1 \
    zlib1g \
    libexpat1 \
    libjpeg62-turbo \
    libcharls2 \
    libopenjp2-7 \
    libopenjph0.9 \
    libjxl0.7 \
    libzstd1 \
    libpng16-16 \
    libgif7 \
    libwebp7 \
    libwebpmux3 \
    liblcms2-2 \
    libfreetype6 \
    fonts-dejavu-core
rm -rf /var/lib/apt/lists/*
