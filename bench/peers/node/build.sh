#!/bin/sh
# Installs grpc-js beside this file.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
if ! cmp -s package-lock.json node_modules/installed; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/installed
fi
