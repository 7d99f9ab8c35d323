#!/bin/sh
# A program as there are many: it reads a file when it starts, and again on SIGHUP.
read_config() {
	. "$1/app.env"
	echo "a checkout takes $CHECKOUT_TIMEOUT at most, with $CHECKOUT_RETRIES retries"
}
trap 'read_config "$1"' HUP
trap 'exit 0' TERM INT
echo $$ >"$1/app.pid"
read_config "$1"
while :; do sleep 0.1; done
