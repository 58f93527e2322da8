#!/bin/sh
# Builds the real crowdsec and cscli for the end-to-end tests and the demo into
# bin/, once. Does nothing when they are there and fit this script and go.mod.
set -eu

version=v1.7.8

cd "$(dirname "$0")"
fail() {
	echo "crowdsec: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

want=$(cat go.mod build.sh | cksum)
if [ -x bin/crowdsec ] && [ -x bin/cscli ] && [ "$(cat bin/stamp 2>/dev/null)" = "$want" ]; then
	exit 0
fi

command -v go >/dev/null 2>&1 || fail "there is no Go here" "install Go 1.26 or later: https://go.dev/dl/"
# SQLite needs cgo: without it CrowdSec loses its busy timeout and answers 403
# and 500 at random.
cc=$(CGO_ENABLED=1 go env CC)
command -v "${cc%% *}" >/dev/null 2>&1 || fail "there is no C compiler ($cc)" "apt-get install gcc libc6-dev, or dnf install gcc glibc-devel"

# Files and the journal are all that the tests read.
tags=no_db_mysql,no_db_postgres
for source in appsec cloudwatch docker http k8saudit kafka kinesis loki s3 victorialogs wineventlog; do
	tags=$tags,no_datasource_$source
done

mkdir -p bin
new=bin/new.$$
mkdir "$new"
build=
ticker=
cleanup() {
	[ -z "$ticker" ] || kill "$ticker" 2>/dev/null || :
	[ -z "$build" ] || kill "$build" 2>/dev/null || :
	rm -rf "$new"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

began=$(date +%s)
echo "building crowdsec and cscli $version; 2 to 5 minutes the first time, never again"
# Not from the environment: flags of somebody's own must not change what is built,
# and a go.work further up must not pull this module in.
CGO_ENABLED=1 GOFLAGS=-mod=readonly GOWORK=off go build -buildvcs=false -trimpath -tags "$tags" \
	-ldflags "-s -w -X github.com/crowdsecurity/go-cs-lib/version.Version=$version" \
	-o "$new/" github.com/crowdsecurity/crowdsec/cmd/crowdsec github.com/crowdsecurity/crowdsec/cmd/crowdsec-cli &
build=$!
# The last sleep outlives this script; it must not keep a pipe of ours open.
while sleep 9 >/dev/null 2>&1; do
	echo "building crowdsec $version: $(($(date +%s) - began)) s"
done &
ticker=$!

status=0
wait "$build" || status=$?
build=
[ "$status" = 0 ] || fail "the build failed, status $status" "its messages are above; the modules come from \$(go env GOPROXY)"

mv "$new/crowdsec" bin/crowdsec
mv "$new/crowdsec-cli" bin/cscli
echo "$want" >bin/stamp.new
mv bin/stamp.new bin/stamp
echo "built tests/crowdsec/bin/crowdsec and cscli in $(($(date +%s) - began)) s"
