#!/bin/sh
# Builds the C++ interop and bench programs into build/, which the wrappers beside this file start. RPCX_PROFILE=debug takes
# the debug build of the library.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
root=$(readlink -f ../../../..)
profile=${RPCX_PROFILE:-release}
case $profile in release) flag=--release ;; *) flag= ;; esac
(cd "$root" && cargo build $flag --locked -p librpcx-ffi)
library=${CARGO_TARGET_DIR:-$root/target}/$profile/librpcx.so
mkdir -p build
ln -sf "$library" build/librpcx.so.0
cmake -S . -B build -DRPCX_LIBRARY="$library" >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
cmake --build build --parallel 2
