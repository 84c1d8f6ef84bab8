#!/bin/sh
# Installs grpcio into .cache/peers/python and generates the classes of the message there.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
made=../../../.cache/peers/python
if ! cmp -s requirements.txt "$made/installed"; then
    python3 -m venv --clear "$made/venv"
    # The wheels are kept: their size is part of the report.
    "$made/venv/bin/pip" download -q -d "$made/wheels" -r requirements.txt
    "$made/venv/bin/pip" install -q --no-index --find-links "$made/wheels" -r requirements.txt
    cp requirements.txt "$made/installed"
fi
mkdir -p "$made/generated"
"$made/venv/bin/python" -m grpc_tools.protoc -I ../../proto --python_out="$made/generated" \
    --grpc_python_out="$made/generated" benchmark.proto
