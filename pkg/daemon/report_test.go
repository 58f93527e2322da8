package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"csmail/pkg/report/document"
)

// awaitDay waits until the day has begun if it ends or begins at this moment, so that a
// test has a single today.
func awaitDay() {
	const edge = 30 * time.Second
	now := time.Now()
	switch left := midnight(now).AddDate(0, 0, 1).Sub(now); {
	case left < edge:
		time.Sleep(left + 3*time.Second)
	case now.Sub(midnight(now)) < 3*time.Second:
		time.Sleep(3 * time.Second)
	}
}

// mailDay is a log of today, as far as it is, with a line of yesterday before it:
// mails through a content filter, refusals, logins and guesses.
func mailDay(now time.Time) []string {
	at := now.Add(-2 * time.Minute)
	if at.In(time.Local).Day() != now.In(time.Local).Day() {
		at = now.Add(-time.Second)
	}
	var parts []string
	say := func(at time.Time, tag, format string, args ...any) string {
		return fmt.Sprintf("%s mx1 %s: %s\n", at.UTC().Format("2006-01-02T15:04:05.000000Z"), tag, fmt.Sprintf(format, args...))
	}
	parts = append(parts, say(now.Add(-24*time.Hour), "postfix/master[1]", "daemon started -- version 3.7.11, configuration /etc/postfix"))
	for i := range 40 {
		at = at.Add(time.Millisecond)
		a, b := fmt.Sprintf("A%05XF", i), fmt.Sprintf("B%05XF", i)
		parts = append(parts,
			say(at, "postfix/smtpd[7]", "connect from a.example[198.51.100.7]")+
				say(at, "postfix/smtpd[7]", "%s: client=a.example[198.51.100.7]", a)+
				say(at, "postfix/cleanup[8]", "%s: message-id=<%d@a.example>", a, i)+
				say(at, "postfix/qmgr[9]", "%s: from=<a@a.example>, size=1000, nrcpt=1 (queue active)", a),
			say(at, "postfix/smtpd[10]", "%s: client=localhost[127.0.0.1]", b)+
				say(at, "postfix/qmgr[9]", "%s: from=<a@a.example>, size=1100, nrcpt=1 (queue active)", b)+
				say(at, "postfix/smtp[11]", "%s: to=<u%d@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 2.0.0 from MTA: 250 Ok: queued as %s)", a, i%7, b),
			say(at, "postfix/lmtp[12]", "%s: to=<u%d@example.org>, relay=example.org[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Saved)", b, i%7)+
				say(at, "postfix/qmgr[9]", "%s: removed", a)+say(at, "postfix/qmgr[9]", "%s: removed", b)+
				say(at, "postfix/smtpd[7]", "disconnect from a.example[198.51.100.7] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")+
				say(at, "kernel", "nothing of ours"),
			say(at, fmt.Sprintf("postfix/smtpd[%d]", 100+i), "warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=user%d", attacker, i)+
				say(at, fmt.Sprintf("postfix/smtpd[%d]", 100+i), "NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <x@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>", attacker),
		)
	}
	return parts
}

// dayOf asks for the report of the day of a time.
func (r *rig) dayOf(at time.Time) (*document.Document, error) {
	start := midnight(at.In(time.Local))
	answer, err := r.ask.Report(r.t.Context(), start, start.AddDate(0, 0, 1), "")
	if err != nil {
		return nil, err
	}
	if !answer.Whole {
		return nil, errors.New("the day is not whole, though the day before was read")
	}
	return document.Maker{Zone: time.Local, ZoneName: "here"}.Make(answer.Window, answer.Around)
}

// wholeDayOf waits until the daemon has read all of a day.
func (r *rig) wholeDayOf(at time.Time) (d *document.Document) {
	r.t.Helper()
	r.eventually("the day is whole", func() (ok bool) {
		var err error
		d, err = r.dayOf(at)
		return err == nil
	})
	return d
}

// todays shows the report of today, without what differs from run to run.
func (r *rig) todays() map[string]any {
	r.t.Helper()
	d := r.wholeDayOf(time.Now())
	text, err := json.Marshal(d)
	if err != nil {
		r.t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		r.t.Fatal(err)
	}
	delete(doc, "generated")
	return doc
}

// After kill -9 at any moment the day's figures are those of a daemon that was never
// killed.
func TestReportOutlivesKills(t *testing.T) {
	t.Parallel()
	awaitDay()
	parts := mailDay(time.Now())
	whole := newRig(t)
	whole.append(strings.Join(parts, ""))
	whole.start()
	whole.eventually("all is read", whole.isStored)
	want := whole.todays()
	if want["received"] != 40.0 || want["delivered"] != 40.0 || want["rejected"] != 40.0 || want["requeued"] != 40.0 {
		t.Fatalf("%v received, %v delivered, %v rejected, %v requeued, want 40 of each", want["received"], want["delivered"], want["rejected"], want["requeued"])
	}

	killed := newRig(t)
	for i := 0; i < len(parts); i += 33 {
		kill := killed.live()
		killed.append(strings.Join(parts[i:min(i+33, len(parts))], ""))
		killed.eventually("the part is stored", killed.isStored)
		kill()
	}
	killed.start()
	killed.eventually("it is caught up", func() bool { s, err := killed.ask.Status(t.Context()); return err == nil && s.Sources[0].Lag == 0 })
	got := killed.todays()
	for key := range want {
		a, _ := json.Marshal(want[key])
		b, _ := json.Marshal(got[key])
		if string(a) != string(b) {
			t.Errorf("%s\n got %s\nwant %s", key, b, a)
		}
	}
}

func TestReportSwitchedOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("report: {enabled: false}")
	r.start()
	r.append(strings.Join(mailDay(time.Now()), ""))
	r.eventually("all is read", r.isStored)
	if _, err := r.dayOf(time.Now()); err == nil || !strings.Contains(err.Error(), "no report of this time") {
		t.Errorf("got %v, want that there is no report of this time", err)
	}
}

func TestReportPage(t *testing.T) {
	for listen, want := range map[string]int{
		"": http.StatusOK, "\nreport: {enabled: false}": http.StatusNotFound,
	} {
		awaitDay()
		r := newRig(t)
		port := freePort(t)
		r.configure(fmt.Sprintf("prometheus: {enabled: true, listen_port: %d}%s", port, listen))
		r.append(strings.Join(mailDay(time.Now()), ""))
		r.start()
		r.eventually("all is read", r.isStored)
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/report", port))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != want {
			t.Errorf("%q: status %d, %v, want %d", listen, response.StatusCode, err, want)
			continue
		}
		if want != http.StatusOK {
			continue
		}
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'unsafe-inline';") || !strings.Contains(string(body), "Relay access denied") || strings.Contains(string(body), "<script") {
			t.Errorf("policy %q, page:\n%s, want it to begin with \"default-src 'none'; style-src 'unsafe-inline';\", it to contain \"Relay access denied\", it without \"<script\"",
				policy, body)
		}
	}
}

func TestReportPageBeyondThisHost(t *testing.T) {
	for _, tt := range []struct {
		addr     string
		anywhere bool
		want     bool
	}{
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"localhost", false, true},
		{"127.8.8.8", false, true},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"", false, false},
		{"192.0.2.1", false, false},
		{"mx1.example.org", false, false},
		{"0.0.0.0", true, true},
		{"192.0.2.1", true, true},
	} {
		d := &Daemon{}
		d.config.Report.Enabled, d.config.Report.ListenAnywhere, d.config.Prometheus.ListenAddr = true, tt.anywhere, tt.addr
		if got := (answers{d}).mayShowReport(); got != tt.want {
			t.Errorf("listen_addr %q, listen_anywhere %v: served is %v, want %v", tt.addr, tt.anywhere, got, tt.want)
		}
	}
}

// What is over is on the disk, and is the day that the next ones are compared with.
func TestReportOfADayThatIsOver(t *testing.T) {
	t.Parallel()
	awaitDay()
	r := newRig(t)
	then := time.Now().Add(-48 * time.Hour)
	r.append(strings.Join(mailDay(then), ""))
	r.start()
	r.eventually("all is read", r.isStored)
	open := r.wholeDayOf(then)
	r.stop()
	r.start() // which makes a checkpoint, and stores what is over
	over := r.wholeDayOf(then)
	before, _ := json.Marshal(open)
	after, _ := json.Marshal(over)
	if string(before) != string(after) {
		t.Errorf("stored:\n%s\nin memory:\n%s", after, before)
	}
	r.append(strings.Join(mailDay(time.Now())[1:], ""))
	date := then.In(time.Local).Format(time.DateOnly)
	r.eventually("today is there", func() bool {
		d, err := r.dayOf(time.Now())
		return err == nil && d.Received == 40 && len(d.Before) == 1 && d.Before[0].Date == date && d.Before[0].Received == 40
	})
	start := midnight(then.In(time.Local))
	r.eventually("both days are in the window since two days ago", func() bool {
		answer, err := r.ask.Report(t.Context(), start, time.Time{}, "")
		if err != nil || !answer.Whole {
			return false
		}
		d, err := document.Maker{Zone: time.Local}.Make(answer.Window, answer.Around)
		return err == nil && d.Received == 80 && d.Rejected == 80 && !d.To.Before(time.Now().Add(-10*time.Minute))
	})
	if _, err := r.ask.Report(t.Context(), start.Add(time.Minute), time.Time{}, ""); err == nil {
		t.Error("a window that begins within an hour is answered, want an error")
	}
	if answer, err := r.ask.Report(t.Context(), start.AddDate(0, 0, -3), time.Time{}, ""); err != nil || answer.Whole {
		t.Errorf("of before the first line: whole %v, %v, want not whole", answer.Whole, err)
	}
}

// freePort is a port on which nobody listens now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("%v is no TCP address", l.Addr())
	}
	return addr.Port
}
