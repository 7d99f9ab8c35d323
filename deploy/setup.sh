#!/bin/sh
# Puts promtool, which tries the alerts, where the tests find it: in bin/, unless it is installed. On Debian it is taken out of a package
# that is not installed, because that would start a server; elsewhere this says what to install, and the alerts are read alone.
set -eu
cd "$(dirname "$0")/.."

if command -v promtool >/dev/null || [ -x bin/promtool ]; then
	exit 0
fi
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
chmod 755 "$unpacked"
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null ||
	! (cd "$unpacked" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } 2>/dev/null); then
	echo "deploy/setup.sh: promtool is not installed, and the alerts are not tried: install Prometheus" >&2
	exit 0
fi
dpkg-deb -x "$unpacked"/prometheus_*.deb "$unpacked"
mkdir -p bin
mv "$unpacked/usr/bin/promtool" bin/promtool
