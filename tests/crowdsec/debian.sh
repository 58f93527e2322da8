#!/bin/sh
# Unpacks Debian's packages crowdsec and crowdsec-firewall-bouncer into debian/,
# without installing them: an old CrowdSec for the compatibility test, its hub
# items for the scenario tests, and the bouncer that turns decisions into rules of
# the firewall. Does nothing when they are there.
set -eu

cd "$(dirname "$0")"
fail() {
	echo "crowdsec: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

if [ -x debian/usr/bin/crowdsec ] && [ -x debian/usr/bin/cscli ] && [ -x debian/usr/bin/crowdsec-firewall-bouncer ]; then
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
(cd "$new" && apt-get -qq -o APT::Sandbox::User=root download crowdsec crowdsec-firewall-bouncer) ||
	fail "Debian's crowdsec packages could not be downloaded" "apt-get update"
mkdir "$new/root"
for package in "$new"/*.deb; do
	dpkg-deb -x "$package" "$new/root"
	echo "unpacked $(basename "$package" .deb) into tests/crowdsec/debian"
done
# dpkg-deb gives the folder the mode of the package's root.
chmod 755 "$new/root"

rm -rf debian
mv "$new/root" debian
