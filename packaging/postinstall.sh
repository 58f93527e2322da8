#!/bin/sh
# After an installation or an upgrade: makes the user, and restarts a daemon that
# runs. It enables nothing: csmail setup does, once it is known which log to read.
# deb calls it with "configure OLD-VERSION", rpm with the number of versions.
set -e

case "$1" in
configure | 1 | 2) ;;
*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers csmail.conf
fi
if ! getent passwd csmail >/dev/null; then
	useradd --system --home-dir /var/lib/csmail --no-create-home --shell /usr/sbin/nologin csmail
fi
# Debian's log files belong to adm.
if getent group adm >/dev/null && command -v usermod >/dev/null 2>&1; then
	usermod -a -G adm csmail
fi
chown root:csmail /etc/csmail /etc/csmail/csmail.yaml
chmod 0750 /etc/csmail
chmod 0640 /etc/csmail/csmail.yaml

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	systemctl try-restart csmail.service csmail-report.timer || :
fi
if [ ! -e /etc/csmail/lapi_credentials.yaml ]; then
	echo "csmail is installed. The next command finds the log, registers at CrowdSec and starts it: csmail setup"
fi
