#!/bin/sh
# Runs the tests: types, then modules, then the client against the real server in Node and in a headless Chromium. Arguments are those of
# node --test, as --test-name-pattern; TRUNKLINE names a server that is not ../../bin/trunkline.
set -eu
cd "$(dirname "$0")/.."

if ! node --eval 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 11) ? 0 : 1)'; then
	echo "client/js/test/run.sh: these tests need Node 20.11 or later; this is $(node --version)" >&2
	exit 1
fi
# Before version 22 Node has its own WebSocket behind a flag.
own=$(node --print 'process.allowedNodeEnvironmentFlags.has("--experimental-websocket") && !globalThis.WebSocket ? "--experimental-websocket" : ""')

if [ ! -e node_modules/.bin/tsc ]; then
	echo "client/js/test/run.sh: the tools of the tests are not installed: run web/setup.sh client/js" >&2
	exit 1
fi
node_modules/.bin/tsc --project .
# shellcheck disable=SC2086 # there may be no flag
exec node $own --no-warnings --test --test-timeout=300000 "$@" test/unit/*.test.js test/server/*.test.js test/browser/*.test.js
