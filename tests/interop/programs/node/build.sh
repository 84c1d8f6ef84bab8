#!/bin/sh
# Builds the package librpcx with its native part, and installs it for the programs beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for folder in "$here/../../../../node" "$here"; do
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
done
npm run --prefix "$here/../../../../node" --silent native
npm run --prefix "$here/../../../../node" --silent build
