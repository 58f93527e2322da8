#!/bin/sh
# Builds the real nats-server for the end-to-end tests and the demo into bin/, once. Does
# nothing when it is there and fits this script and go.mod.
set -eu

cd "$(dirname "$0")"
want=$(cat go.mod build.sh | cksum)
if [ -x bin/nats-server ] && [ "$(cat bin/stamp 2>/dev/null)" = "$want" ]; then
	exit 0
fi
command -v go >/dev/null 2>&1 || {
	echo "nats: there is no Go here" >&2
	echo "hint: install Go 1.26 or later: https://go.dev/dl/" >&2
	exit 1
}
echo "building nats-server; a minute the first time, never again"
mkdir -p bin
# Not from the environment: flags of somebody's own must not change what is built, and a
# go.work further up must not pull this module in.
CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off go build -buildvcs=false -trimpath -ldflags "-s -w" \
	-o bin/nats-server.new github.com/nats-io/nats-server/v2
mv bin/nats-server.new bin/nats-server
echo "$want" >bin/stamp
