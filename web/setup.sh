#!/bin/sh
# Makes ready what the tests of the page need, or those of the folder it is given: Node, a Chromium, and what the folder's
# package-lock.json pins. What is missing is installed on Debian by root; elsewhere this says what to install.
set -eu
cd "$(dirname "$0")/../${1:-web}"

missing() {
	echo "web/setup.sh: $1" >&2
	exit 1
}

# install WHAT HINT PACKAGE...
install() {
	what=$1 hint=$2
	shift 2
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		missing "$what is not installed: $hint"
	fi
	echo "web/setup.sh: installing $*" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

browser() {
	if [ -n "${CHROMIUM:-}" ]; then
		command -v "$CHROMIUM" >/dev/null || missing "CHROMIUM names $CHROMIUM, which is not there"
		return 0
	fi
	for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
		if command -v "$name" >/dev/null; then
			return 0
		fi
	done
	return 1
}

command -v npm >/dev/null || install npm "install Node 20 or later" nodejs npm
browser || install Chromium "install the package chromium, or name yours by CHROMIUM=/path" chromium-headless-shell fonts-dejavu-core

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch node_modules/.package-lock.json
fi
