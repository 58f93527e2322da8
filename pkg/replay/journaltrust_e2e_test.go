//go:build e2e

package replay

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
)

// underJournald starts a journald and a Postfix in namespaces of their own. A client is
// refused; then a user writes what smtpd might have written, by logger(1) and by
// running smtpd itself.
const underJournald = `
mount --make-rprivate /
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /mnt
mount -t proc proc /proc
ip link set lo up
mkdir -p /run/systemd/journal /run/log/journal /run/postfix /run/queue /run/data
/lib/systemd/systemd-journald 2>/dev/null &
socket=/run/systemd/journal/dev-log
for i in $(seq 100); do test -S $socket && break; sleep 0.1; done
cp -a /dev/null /dev/zero /dev/random /dev/urandom /mnt/
ln -s $socket /mnt/log; ln -s /proc/self/fd /mnt/fd
mount --bind /mnt /dev
chown postfix /run/data
cp /usr/share/postfix/master.cf.dist /run/postfix/master.cf
cat >/run/postfix/main.cf <<END
queue_directory = /run/queue
data_directory = /run/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example
mynetworks =
alias_maps =
local_recipient_maps =
smtpd_relay_restrictions = reject_unauth_destination
compatibility_level = 3.6
END
postconf -c /run/postfix -F '*/*/chroot=n'
postfix -c /run/postfix start >/dev/null 2>&1
for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/25) 2>/dev/null && break; sleep 0.1; done
exec 3<>/dev/tcp/127.0.0.1/25
read -r -u 3 answer
for command in 'EHLO x.example' 'MAIL FROM:<a@example.com>' 'RCPT TO:<b@example.net>' QUIT; do
	printf '%s\r\n' "$command" >&3
	while read -r -u 3 answer; do case $answer in ???-*) ;; *) break ;; esac; done
done
exec 3>&-
as_user() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
as_user logger -u $socket -p mail.info -t postfix/smtpd "warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: x"
as_user /usr/lib/postfix/sbin/smtpd </dev/null >/dev/null 2>&1
sleep 1
journalctl --no-pager --all -o json -D /run/log/journal SYSLOG_FACILITY=2 >"$1"
postfix -c /run/postfix stop >/dev/null 2>&1
exit 0
`

// What Postfix logs through the real journald is believed, though smtpd is not root;
// what a user logs in its name is not.
func TestRealJournalTrust(t *testing.T) {
	log := filepath.Join(t.TempDir(), "journal.json")
	out, err := exec.Command("unshare", "-m", "-p", "-n", "-f", "--kill-child", "bash", "-c", underJournald, "bash", log).CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	sources, err := archive.Files([]string{log}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	tally, err := Run(t.Context(), sources, Options{Zone: time.UTC, Result: func(_ string, r *engine.Result) {
		if r.Outcome == event.Noted {
			events = append(events, fmt.Sprintf("%s %s", r.Addr, r.Kind))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	isForged := func(e string) bool { return !strings.HasPrefix(e, "127.0.0.1 ") }
	if want := "127.0.0.1 relay-refused"; !slices.Contains(events, want) || slices.ContainsFunc(events, isForged) || tally.Notes.Doubted != 1 {
		t.Errorf("got events %q and %d entries passed over, want %q among them, nothing of another address, and one", events, tally.Notes.Doubted, want)
	}
}
