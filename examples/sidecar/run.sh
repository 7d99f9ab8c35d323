#!/bin/sh
# Runs a program that knows nothing of Trunkline beside `trunkline watch`, which keeps its file in step and tells it of changes.
set -eu
dir=${1:-$(mktemp -d)}
export TRUNKLINE_SERVER=${TRUNKLINE_SERVER:-http://127.0.0.1:7420} TRUNKLINE_ENV=${TRUNKLINE_ENV:-prod}

trunkline watch checkout --file "$dir/app.env" --once                     # nothing starts without a configuration
trunkline watch checkout --file "$dir/app.env" --signal HUP --pid-file "$dir/app.pid" &
trap 'kill $! 2>/dev/null || :' EXIT   # it may have ended by itself
trap 'exit 0' TERM INT
sh "$(dirname "$0")/app.sh" "$dir"
