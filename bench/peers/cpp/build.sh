#!/bin/sh
# Builds .cache/peers/cpp/grpc-cpp; when root, installs Debian's gRPC C++ first if it is missing.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
made=../../../.cache/peers/cpp
packages="cmake g++ make pkg-config libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc"
if ! dpkg-query -W $packages >/dev/null 2>&1; then
    install="apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages"
    if [ "$(id -u)" -ne 0 ]; then
        echo "run: sudo $install" >&2
        exit 1
    fi
    apt-get update -q && $install
fi
[ -f "$made/Makefile" ] || cmake -S . -B "$made"
cmake --build "$made"
