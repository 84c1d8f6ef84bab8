#!/bin/sh
# Builds the Python package in place, for the programs of this folder and of python-sync. The programs run in the
# project's own virtual environment, which `make setup` has made.
#
# interop/*_pb2.py* are generated from proto/arith.proto and bench/proto/benchmark.proto by grpcio-tools 1.85.1.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../../../.."
cargo build --release --locked -p librpcx-python
# Another inode, so that programs that run keep the library they have mapped.
install -m 755 "${CARGO_TARGET_DIR:-target}/release/lib_rpcx.so" python/src/rpcx/_rpcx.abi3.so
