package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/event"
)

// inUTC has times shown in one zone on each host.
func inUTC(t *testing.T) {
	t.Helper()
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
}

func status() control.Status {
	start := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	return control.Status{
		Version: "1.0", Started: start, Config: "/etc/csmail/csmail.yaml", Tracked: 37,
		Total: control.Total{Since: start.AddDate(0, 0, -20), Lines: 1234567, Missed: 3, Delivered: 412, Dropped: 1},
		Bans:  control.Bans{Now: 7, Today: 12},
		Sources: []control.Source{
			{Name: "/var/log/mail.log", State: "following", Lines: 10021, LastLine: start.Add(time.Hour)},
			{Name: "journal", State: "waiting", Lag: -1, Drops: map[string]int64{"too-long": 2}},
		},
		Outbox: control.OutboxStatus{Held: 2, Pending: 1, Oldest: start},
		LAPI:   control.LAPI{Reached: start.Add(time.Hour), Delivered: 4},
		Alerts: []control.Alert{
			{Scenario: "csmail/auth-bf", Value: "203.0.113.7", Count: 6, Last: start.Add(time.Hour), Status: "ban", Reason: "6 attempts count, 6 are enough"},
			{Scenario: "csmail/auth-spray", Value: "2001:db8:1:2::/64", Count: 1, Last: start, Status: "hold", Reason: "the login service was in trouble from 2026-06-03T03:00:00Z on"},
		},
	}
}

const works = `csmail works: 7 banned now, 12 today, 2 held
State      Lines   Behind  Last line            Log
following  10021  0 bytes  2026-06-03 05:00:00  /var/log/mail.log
waiting        0        ?  -                    journal, lost: 2 too-long
LAPI: 412 alerts delivered; the last answer at 2026-06-03 05:00:00
Alerts here: 1 waiting since 2026-06-03 04:00:00, 0 parked, 2 held, 1 dropped
1234567 lines read since 2026-05-14 04:00:00, 3 not understood
37 addresses, networks and accounts tracked
csmail 1.0, running since 2026-06-03 04:00:00 with /etc/csmail/csmail.yaml
The latest findings
Jun  3 05:00  203.0.113.7        ban    auth-bf, 6 events: 6 attempts count, 6 …
Jun  3 04:00  2001:db8:1:2::/64  hold   auth-spray, 1 event: the login service …
`

func TestStatus(t *testing.T) {
	inUTC(t)
	broken := status()
	broken.Bans.Simulated, broken.Undecided = 3, 2
	broken.Breakers = []string{"resolver: no client with a verified name yet", "login dovecot since 2026-06-03T03:50:00Z: last trouble at 03:59:00 UTC", "user-database: x", "of another csmail"}
	broken.BreakIns = []control.Alert{{Value: "203.0.113.9", Count: 41, Last: broken.Started}}
	broken.Troubles = []string{"journal is not read: permission denied", "the LAPI has not been reached since 2026-06-03T03:59:00Z: connection refused"}
	broken.Sources[1].Error, broken.Sources[1].Hint = "permission denied", "join the group systemd-journal"
	broken.LAPI.Error, broken.LAPI.Hint = "connection refused", "systemctl status crowdsec"
	broken.Reload, broken.ReloadHint = "prometheus cannot change while csmail runs: restart it", "systemctl restart csmail"
	broken.State.Error, broken.State.Hint = "no space left on device", "free space: df /var"
	for name, tt := range map[string]struct {
		status control.Status
		want   string
	}{
		"all is well": {status(), works},
		"much is wrong": {broken, strings.Replace(strings.Replace(works, "csmail works: 7 banned now, 12 today, 2 held\n", `csmail does NOT do its work: 7 banned now, 12 today, 2 held, 3 simulated today
! BREAK-IN? 203.0.113.9 logged in at 2026-06-03 04:00:00
  after 40 wrong passwords: csmail why 203.0.113.9
! journal is not read: permission denied
  hint: join the group systemd-journal
! the LAPI has not been reached since 2026-06-03 03:59:00: connection refused
  hint: systemctl status crowdsec
! the last reload failed: prometheus cannot change while csmail runs: restart it
  hint: systemctl restart csmail
! the state file: no space left on device
  hint: free space: df /var
`, 1), "tracked\n", `tracked
2 findings not decided: the guard waits for evidence (docs/safety.md)
Held for now: names that do not resolve (no client with a verified name yet)
Held for now: failed logins (login dovecot since 2026-06-03 03:50:00: last
  trouble at 03:59:00 UTC)
Held for now: unknown recipients (x)
Held for now: of another csmail
`, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Status(&out, tt.status, Screen{}); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}

func TestHeld(t *testing.T) {
	inUTC(t)
	at := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	held := func(scope, value, scenario, reason string, minute int) control.Alert {
		return control.Alert{ID: "0123456789", Scope: scope, Value: value, Scenario: "csmail/" + scenario, Reason: reason, Last: at.Add(time.Duration(minute) * time.Minute)}
	}
	never := held("Ip", "192.0.2.7", "auth-bf", "never: never banned: guard.allow", 4)
	tests := map[string]struct {
		alerts []control.Alert
		want   string
	}{
		"nothing": {nil, "Nothing is held\n"},
		"who is never banned": {
			[]control.Alert{never, held("Ip", "192.0.2.8", "auth-bf", "amnesty: a person forgave it", 5)},
			"2 alerts on sources that are never banned or have amnesty; --all shows them\n",
		},
		"one line a source, the newest first": {
			[]control.Alert{
				held("Ip", "203.0.113.10", "auth-bf", "login-outage: the login service", 0), never,
				held("Range", "2001:db8:1:2::/64", "relay-probe", "resolver: no other client: yet", 1),
				held("Ip", "203.0.113.10", "auth-spray", "login-outage: the login service", 2),
				held("Ip", "203.0.113.10", "auth-spray", "login-outage: the login service", 3),
			}, `2 sources held, with 4 alerts
Source             Alerts  Found by       Held by       Last event
203.0.113.10            3  auth-spray +1  login-outage  Jun  3 04:03
2001:db8:1:2::/64       1  relay-probe    resolver      Jun  3 04:01
To ban one all the same: csmail held release 203.0.113.10
To forget it: csmail held drop 203.0.113.10
1 alert on sources that are never banned or have amnesty; --all shows them
`,
		},
		"an account, of whatever name": {
			[]control.Alert{held(string(event.ScopeAccount), "all\x1b\n"+strings.Repeat("x", 99), "mine", "bans-per-hour: 2000", 0)}, `1 source held, with 1 alert
Source  Alerts  Found by  Held by        Last event
all??xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
             1  mine      bans-per-hour  Jun  3 04:00
To ban one all the same: csmail held release 01234567
To forget it: csmail held drop 01234567
`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Held(&out, tt.alerts); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}
