#!/bin/sh
# Before a removal, not before an upgrade: stops what runs and takes back what
# csmail setup changed in Postfix and Dovecot, so that no door asks a csmail that
# is gone. deb calls it with "remove", rpm with 0.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

if [ -x /usr/bin/csmail ] && [ -e /etc/csmail/setup-undo.json ]; then
	/usr/bin/csmail setup --undo --yes || echo "csmail setup --undo failed: its message above names what is left to do by hand" >&2
fi
if [ -d /run/systemd/system ]; then
	systemctl disable --now csmail-report.timer csmail.service || :
fi
