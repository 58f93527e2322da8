#!/bin/sh
# Installs what the end-to-end tests need from Debian's packages. It may run any
# number of times: it asks the package lists only if something is missing, and
# it starts no daemon and leaves none running.
set -eu

packages="postfix dovecot-core dovecot-imapd dovecot-pop3d dovecot-managesieved dovecot-submissiond openssh-server openssh-client ssl-cert iproute2 util-linux systemd systemd-journal-remote nftables iptables ipset libsqlite3-0 buildah busybox-static ca-certificates pflogsumm debootstrap rpm rpm2cpio cpio curl chromium prometheus fish zsh bash-completion"

if [ "$(id -u)" -ne 0 ]; then
    echo "tests/e2e/install.sh: must run as root: it installs packages" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "tests/e2e/install.sh: no apt-get: install these by hand: $packages" >&2
    exit 1
fi

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# Packages start their daemons when they are installed; policy-rc.d is how
# Debian is told not to. A file that is there already belongs to somebody else:
# it is put back.
policy=/usr/sbin/policy-rc.d
saved=""
restore() {
    rm -f "$policy"
    [ -z "$saved" ] || mv "$saved" "$policy"
}
if [ -e "$policy" ]; then
    saved="$policy.csmail-e2e"
    mv "$policy" "$saved"
fi
trap restore EXIT
trap 'exit 1' INT TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
if command -v debconf-set-selections >/dev/null; then
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
fi
apt-get -qq update
# shellcheck disable=SC2086 # a list of words
apt-get -qq -y --no-install-recommends install $missing </dev/null
