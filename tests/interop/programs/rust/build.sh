#!/bin/sh
# Builds the Rust interop and bench programs, which the wrappers beside this file start.
set -eu
cd "$(dirname "$0")/../../../.."
exec cargo build --release --locked -p rpcx-interop --bins
