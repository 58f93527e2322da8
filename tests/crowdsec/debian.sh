#!/bin/sh
# Unpacks Debian's crowdsec package into debian/, without installing it: an old
# CrowdSec for the compatibility test, and its hub items for the scenario tests.
# Does nothing when it is there.
set -eu

cd "$(dirname "$0")"
fail() {
	echo "crowdsec: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

if [ -x debian/usr/bin/crowdsec ] && [ -x debian/usr/bin/cscli ]; then
	exit 0
fi

for tool in apt-get dpkg-deb; do
	command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool here" "the compatibility test runs on Debian only"
done

new=$PWD/debian.new.$$
mkdir "$new"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Not as root's sandbox user: it may not write here.
(cd "$new" && apt-get -qq -o APT::Sandbox::User=root download crowdsec) ||
	fail "Debian's crowdsec package could not be downloaded" "apt-get update"
mkdir "$new/root"
dpkg-deb -x "$new"/crowdsec_*.deb "$new/root"
# dpkg-deb gives the folder the mode of the package's root.
chmod 755 "$new/root"

rm -rf debian
mv "$new/root" debian
echo "unpacked $(basename "$new"/crowdsec_*.deb .deb) into tests/crowdsec/debian"
