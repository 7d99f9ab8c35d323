#!/bin/sh
# Runs OpenFeature's JavaScript clients against the real server. Arguments are those of node --test; TRUNKLINE names a server that is not
# ../../../bin/trunkline.
set -eu
cd "$(dirname "$0")"

if [ ! -e node_modules/@openfeature/web-sdk ]; then
	echo "api/ofrep/js/run.sh: the clients are not installed: run web/setup.sh api/ofrep/js" >&2
	exit 1
fi
exec node --no-warnings --test --test-timeout=120000 "$@" test/*.test.js
