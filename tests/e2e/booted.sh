#!/bin/sh
# Makes the root file systems that the tests of an installation boot: Debian 12
# and 13 with systemd, rsyslog and the distribution's mail servers as shipped, in
# booted/bookworm and booted/trixie. The first time takes a few minutes each; it
# does nothing for one that is there. It needs Debian and root.
set -eu

cd "$(dirname "$0")"
fail() {
	echo "booted: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

# What a mail host has; apt so that the package is installed as people do, and
# ca-certificates and sqlite for CrowdSec.
packages="systemd,systemd-sysv,dbus,udev,rsyslog,logrotate,postfix,dovecot-core,dovecot-imapd,dovecot-pop3d,ssl-cert,iproute2,procps,nftables,ca-certificates,libsqlite3-0,cron,man-db"

# The machine's own mirror and proxy.
find_mirror() {
	mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' "Created-By: Packages" |
		sed -n 's/^Debian|Debian|main|//p' | head -n 1)
	[ -n "$mirror" ] || fail "apt knows no mirror of Debian" "apt-get update"
	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	if [ -n "${http_proxy:-}" ] && [ "$http_proxy" != DIRECT ]; then export http_proxy; fi
	if [ -n "${https_proxy:-}" ] && [ "$https_proxy" != DIRECT ]; then export https_proxy; fi
}

# unpack SUITE: debootstrap asks no daemon to start, and its mounts end with it.
unpack() {
	new=$PWD/booted/$1.new.$$
	mkdir -p "$new"
	DEBIAN_FRONTEND=noninteractive debootstrap --variant=minbase --include="$packages" "$1" "$new/root" "$mirror" \
		>"$new/log" 2>&1 || {
		tail -n 20 "$new/log" >&2
		fail "debootstrap of $1 from $mirror failed" "is the mirror reachable? (apt-get update)"
	}
	rm -rf "$new"/root/var/cache/apt/archives/*.deb
	echo "$packages" >"$new/root/etc/csmail-e2e"
	rm -rf --one-file-system "booted/$1"
	mv "$new/root" "booted/$1"
	rm -rf --one-file-system "$new"
	echo "unpacked $1 into tests/e2e/booted/$1"
}

mkdir -p booted
echo "module ignored // no go command looks into the root file systems" >booted/go.mod

[ "$(id -u)" -eq 0 ] || fail "must run as root: it makes device nodes and mounts" "run it with sudo"
trap 'rm -rf --one-file-system booted/*.new.$$' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for suite in "${@:-bookworm}"; do
	if [ "$(cat "booted/$suite/etc/csmail-e2e" 2>/dev/null)" = "$packages" ]; then
		continue
	fi
	for tool in apt-get apt-config debootstrap; do
		command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool here" "tests/e2e/install.sh, on a Debian machine"
	done
	find_mirror
	unpack "$suite"
done
