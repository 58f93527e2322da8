#!/bin/sh
# After a purge: removes what csmail wrote. What the administrator wrote
# (csmail.yaml.local, own scenarios) stays. deb calls it with "remove" or "purge",
# rpm with 0 and has no purge: there the state stays, as for other packages.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
fi
[ "$1" = purge ] || exit 0

rm -rf /var/lib/csmail /run/csmail
rm -f /var/lib/systemd/timers/stamp-csmail-report.timer
rm -f /etc/csmail/lapi_credentials.yaml /etc/csmail/setup-undo.json
rmdir /etc/csmail 2>/dev/null || :
if getent passwd csmail >/dev/null && command -v userdel >/dev/null 2>&1; then
	userdel csmail || :
fi
if getent group csmail >/dev/null && command -v groupdel >/dev/null 2>&1; then
	groupdel csmail || :
fi
