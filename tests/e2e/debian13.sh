#!/bin/sh
# Unpacks Debian 13 with its mail servers into debian13/, for the recordings of
# TestRecord: see tests/samples. It needs Debian, root and a few minutes the first
# time, and does nothing when it is there. No other test needs it.
set -eu

cd "$(dirname "$0")"
fail() {
	echo "debian13: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

packages="postfix,dovecot-core,dovecot-imapd,dovecot-pop3d,dovecot-managesieved,dovecot-submissiond,openssh-server,ssl-cert,procps"

if [ -x debian13/usr/sbin/postfix ] && [ -x debian13/usr/sbin/dovecot ] && [ -x debian13/usr/sbin/sshd ]; then
	exit 0
fi

[ "$(id -u)" -eq 0 ] || fail "must run as root: it makes device nodes and mounts" "run it with sudo"
for tool in apt-get apt-config debootstrap; do
	command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool here" "apt-get install debootstrap, on a Debian machine"
done

# The machine's own mirror and proxy.
mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' "Created-By: Packages" |
	sed -n 's/^Debian|Debian|main|//p' | head -n 1)
[ -n "$mirror" ] || fail "apt knows no mirror of Debian" "apt-get update"
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
if [ -n "${http_proxy:-}" ] && [ "$http_proxy" != DIRECT ]; then export http_proxy; fi
if [ -n "${https_proxy:-}" ] && [ "$https_proxy" != DIRECT ]; then export https_proxy; fi

new=$PWD/debian13.new.$$
mkdir "$new"
# debootstrap unmounts what it mounts; --one-file-system is for the day it fails to.
trap 'rm -rf --one-file-system "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing may start inside: the packages ask policy-rc.d, and debootstrap brings
# a start-stop-daemon that starts nothing.
DEBIAN_FRONTEND=noninteractive debootstrap --variant=minbase --include="$packages" trixie "$new/root" "$mirror" \
	>"$new/log" 2>&1 || {
	tail -n 20 "$new/log" >&2
	fail "debootstrap of trixie from $mirror failed" "is the mirror reachable? (apt-get update)"
}
rm -rf "$new"/root/var/cache/apt/archives/*.deb debian13
mv "$new/root" debian13
echo "unpacked Debian 13 into tests/e2e/debian13"
