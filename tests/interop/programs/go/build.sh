#!/bin/sh
# Builds the four programs into bin/. Needs Go 1.26 and a module proxy.
#
# hello/ and gogohello/ are generated from bench/proto/benchmark.proto with protoc-gen-go 1.36.12 and
# protoc-gen-gogofaster 1.3.2, each under its own package name.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
mkdir -p bin
exec "${GO:-go}" build -trimpath -o bin/ ./cmd/...
