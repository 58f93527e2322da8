package session

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
)

// anyRecord draws records of few hosts, processes and clients, so that sessions
// meet.
var anyRecord = rapid.Custom(func(t *rapid.T) event.Record {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	r := event.Record{Outcome: event.Noted, Testimony: event.Testimony(rapid.IntRange(0, int(event.LastTestimony)).Draw(t, "testimony"))}
	r.Time = time.Unix(1780459869+int64(rapid.IntRange(0, 90).Draw(t, "second")), int64(rapid.SampledFrom([]int{0, 0, 120455000}).Draw(t, "fraction")))
	r.Message = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "message")
	r.Service = rapid.SampledFrom([]event.Service{event.Postfix, event.Postfix, event.Dovecot, event.Postscreen, event.SSHD, event.SSHD}).Draw(t, "service")
	r.Program = pick("program", "postfix/smtpd", "mx/smtpd", "postfix/cleanup")
	if r.Service == event.Dovecot {
		r.Program, r.Testimony = pick("process", "dovecot/auth", "dovecot/imap-login"), event.NoTestimony
	}
	if r.Service == event.SSHD {
		r.Testimony = event.NoTestimony
	}
	r.Mechanism, r.Reason = pick("mechanism", "", event.PAM), pick("reason", "", "PAM", "failed password", "Authenticate X failed: y", "Warning: x", "pam_unix(x:auth): y", "pam_sss(x:auth): y")
	r = withReason(r, r.Reason)
	r.Host, r.PID = pick("host", "", "a", "b"), rapid.IntRange(0, 2).Draw(t, "pid")
	r.Kind = rapid.SampledFrom([]event.Kind{event.NoKind, event.AuthFailed, event.AuthFailed, event.Pipelining, event.RelayDenied, event.ContentRejected, event.AuthAborted, event.AuthFault, event.LoginRefused, event.LoginOK, event.AuthMailOK, event.DNSBLListed, event.NonSMTP}).Draw(t, "kind")
	if rapid.Bool().Draw(t, "hasAddr") {
		r.Addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, 2).Draw(t, "addr"))})
	}
	r.User, r.Session, r.Code = pick("user", "", "u"), pick("session", "", "4Zk1Yq2Lz3z9v", "4711"), pick("code", "", "554 5.7.1")
	r.Attempts = rapid.IntRange(1, 3).Draw(t, "attempts")
	return r
})

// A Joiner that was restored cannot be told from the one that was not, however
// full it is.
func TestSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 6).Draw(t, "most")
		one := bounded(most)
		for _, r := range rapid.SliceOf(anyRecord).Draw(t, "before") {
			one.Join(&r)
		}
		snapshot := one.AppendSnapshot([]byte("x"))[1:]
		other := bounded(most)
		if err := read(snapshot, other); err != nil {
			t.Fatal(err)
		}
		for _, r := range rapid.SliceOf(anyRecord).Draw(t, "after") {
			a, b := r, r
			toldA, toldB := one.Join(&a), other.Join(&b)
			if toldA != toldB || fmt.Sprint(a) != fmt.Sprint(b) || fmt.Sprint(*one.Earlier()) != fmt.Sprint(*other.Earlier()) {
				t.Fatalf("%+v: %d and %+v, after the restore %d and %+v", r, toldA, a, toldB, b)
			}
		}
		if !bytes.Equal(one.AppendSnapshot(nil), other.AppendSnapshot(nil)) {
			t.Fatal("the snapshots differ in the end")
		}
	})
}

// bounded returns a Joiner that forgets early.
func bounded(most int) *Joiner {
	j := NewJoiner(event.HashKey{})
	j.smtp.most, j.ends.most, j.logins.most, j.ended.most, j.sasl.most, j.screened.most = most, most, most, most, most, most
	j.messages.most, j.ssh.most, j.pam.most, j.modules.most, j.hosts.most, j.remote.most, j.withheld.most, j.crossed.most = most, most, most, most, most, most, most, most
	return j
}

func TestRestoreRefuses(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	for pid := range 3 {
		r := record(pid+1, one, event.AuthFailed, event.NoTestimony, 1)
		j.Join(&r)
	}
	good := j.AppendSnapshot(nil)
	tests := map[string][]byte{
		"nothing": nil, "another version": append([]byte{snapshotVersion + 1}, good[1:]...), "more behind it": append(bytes.Clone(good), 0),
		"too many slots":    append(bytes.Clone(good[:1+len(event.HashKey{})]), 0xff, 0xff, 0xff, 0x7f, 0),
		"one session twice": twice(good),
	}
	for n := range good {
		tests[fmt.Sprintf("cut after %d bytes", n)] = good[:n]
	}
	for name, b := range tests {
		if err := j.Restore(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !bytes.Equal(j.AppendSnapshot(nil), good) {
		t.Error("a refused snapshot left its mark")
	}
	if err := NewJoiner(event.HashKey{}).Restore(good); err != nil {
		t.Error(err)
	}
}

// The state of older releases is read as one that remembers nothing: their keys had no
// host.
func TestRestoreOlderVersions(t *testing.T) {
	for _, version := range []byte{6, 7, 8} {
		j := NewJoiner(event.HashKey{})
		r := at(0, dovecot("dovecot/auth", "s", "a", 1))
		j.Join(&r)
		if err := j.Restore([]byte{version, 1, 2, 3}); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if got, want := j.AppendSnapshot(nil), NewJoiner(event.HashKey{}).AppendSnapshot(nil); !bytes.Equal(got, want) {
			t.Errorf("version %d: got state %x, want %x", version, got, want)
		}
	}
	if err := NewJoiner(event.HashKey{}).Restore([]byte{5}); err == nil {
		t.Error("version 5: no error")
	}
}

// One session's refusals of a kind are one offence for the scenarios.
func TestAgain(t *testing.T) {
	refused := func(pid int, kind event.Kind, program string) event.Record {
		r := record(pid, one, kind, event.NoTestimony, 1)
		r.Code, r.Program = "554 5.7.1", program
		return r
	}
	const smtpd, cleanup = "postfix/smtpd", "postfix/cleanup"
	first := refused(1, event.RelayDenied, smtpd)
	long := record(1, one, event.ProtocolError, event.NoTestimony, 1)
	ended := record(1, one, event.NoKind, event.Disconnected, 0)
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		want   Status
	}{
		"the first":            {nil, first, New},
		"the same kind":        {[]event.Record{first}, first, Repeat},
		"and once more":        {[]event.Record{first, first}, first, Repeat},
		"another kind":         {[]event.Record{first}, refused(1, event.RecipientUnknown, smtpd), New},
		"another process":      {[]event.Record{first}, refused(2, event.RelayDenied, smtpd), New},
		"the next session":     {[]event.Record{first, ended}, first, New},
		"no process ID":        {[]event.Record{refused(0, event.RelayDenied, smtpd)}, refused(0, event.RelayDenied, smtpd), New},
		"a line too long":      {[]event.Record{long}, long, Repeat},
		"too long, once":       {[]event.Record{first}, long, New},
		"cleanup, no session":  {[]event.Record{refused(1, event.ContentRejected, cleanup)}, refused(1, event.ContentRejected, cleanup), New},
		"early commands, fold": {[]event.Record{refused(1, event.Pipelining, smtpd)}, refused(1, event.Pipelining, smtpd), Folded},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				j.Join(&r)
			}
			last := tt.last
			if told := j.Join(&last); told != tt.want || last.Attempts != tt.last.Attempts {
				t.Errorf("told %d, %d attempts, want told %d, Attempts %d", told, last.Attempts, tt.want, tt.last.Attempts)
			}
		})
	}
}

// twice returns a snapshot in which the first session stands two times.
func twice(snapshot []byte) []byte {
	const name, pid, addr, attempts, messages, kinds, waiting, begun, flags = 8, 1, 1 + 4, 1, 1, 1, 1, 1, 3
	const head = 1 + len(event.HashKey{})
	first := snapshot[head+1 : head+1+name+pid+addr+attempts+messages+kinds+waiting+begun+flags]
	b := append(bytes.Clone(snapshot[:head]), snapshot[head]+1)
	return append(append(b, first...), snapshot[head+1:]...)
}

// A snapshot that an older csmail wrote is read. One of the same version is written again
// byte by byte.
func TestSnapshotOfAnOlderRelease(t *testing.T) {
	want, err := os.ReadFile("testdata/snapshot-20")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"snapshot-19", "snapshot-20"} {
		older, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		j := NewJoiner(event.HashKey{})
		if err := j.Restore(older); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := j.AppendSnapshot(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, want %d others: if the layout has changed, change the version", name, len(got), len(want))
		}
	}
}
