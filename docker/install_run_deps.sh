#!/usr/bin/env bash
# Installs the libraries that the gantry binary needs at run time, and nothing else. As root, in the image.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends libmicrohttpd12 libgnutls30 libdcmtk17 libjansson4 libsqlite3-0 libinih1 zlib1g
rm -rf /var/lib/apt/lists/*
