package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/hint"
	"csmail/pkg/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is a daemon that remembers what it was asked.
func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "192.0.2.7/24": "192.0.2.0/24", "2001:db8::1": "2001:db8::1/128", "2001:db8::1/48": "2001:db8::/48",
		"::ffff:192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1/120": "192.0.2.0/24", "::ffff:0:0/96": "0.0.0.0/0", "::ffff:0:0/95": "::fffe:0:0/95",
		"": "", "192.0.2": "", "192.0.2.0/33": "", "fe80::1%eth0": "", "fe80::1%eth0/64": "", "bob": "",
	} {
		got, err := ParseNetwork(text)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "is neither an address nor a network") || hint.Of(err) == "" {
				t.Errorf("%q: got %s, %v, want an error containing \"is neither an address nor a network\", a hint", text, got, err)
			}
			continue
		}
		if got.String() != want || err != nil {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}

type told struct{ asked []string }

func (d *told) Status(context.Context) (Status, error) {
	return Status{Version: "1", Outbox: OutboxStatus{Pending: 3}}, nil
}

func (d *told) Why(_ context.Context, addr netip.Addr) (report.Why, error) {
	return report.Why{Addr: addr, Buckets: []report.Bucket{{Scenario: "csmail/auth-bf", Count: 3, Needed: 6}}}, nil
}

func (d *told) Unban(_ context.Context, network netip.Prefix) (Unbanned, error) {
	d.asked = append(d.asked, "unban "+network.String())
	return Unbanned{Dropped: 2, Amnesty: time.Unix(1, 0).UTC()}, nil
}

func (d *told) Probe(_ context.Context, client netip.AddrPort) error {
	d.asked = append(d.asked, "probe "+client.String())
	return nil
}

func (d *told) HandOver(context.Context) error {
	d.asked = append(d.asked, "handover")
	return nil
}

func (d *told) Report(_ context.Context, since, until time.Time, zone string) (Report, error) {
	if since.IsZero() {
		return Report{}, errors.New("no report")
	}
	return Report{Whole: true, Until: until, Window: []byte(since.Format(time.RFC3339) + "\x00" + zone)}, nil
}

func (d *told) List(_ context.Context, list List) ([]Alert, error) {
	return []Alert{{ID: "7", Value: string(list)}}, nil
}

func (d *told) Move(_ context.Context, list List, id string, move Move) (int, error) {
	if id == "404" {
		return 0, hint.Wrap(errors.New("no alert 404"), "csmail held list shows them")
	}
	d.asked = append(d.asked, fmt.Sprint(list, " ", id, " ", move))
	return 1, nil
}

func serve(t *testing.T) (*told, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &told{}
	s := NewServer(d)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return d, NewClient(path)
}

func TestQuestions(t *testing.T) {
	d, c := serve(t)
	status, err := c.Status(t.Context())
	if err != nil || status.Outbox.Pending != 3 {
		t.Errorf("status %+v, %v, want Pending 3", status, err)
	}
	addr := netip.MustParseAddr("2001:db8::1")
	why, err := c.Why(t.Context(), addr)
	if err != nil || why.Addr != addr || why.Buckets[0].Count != 3 {
		t.Errorf("why %+v, %v, want Addr %v, Count 3", why, err, addr)
	}
	if _, err := c.Unban(t.Context(), netip.MustParsePrefix("192.0.2.0/24")); err != nil {
		t.Error(err)
	}
	done, err := c.Unban(t.Context(), netip.MustParsePrefix("::ffff:192.0.2.1/128"))
	if err != nil || done.Dropped != 2 {
		t.Errorf("unban %+v, %v, want Dropped 2", done, err)
	}
	list, err := c.List(t.Context(), Held)
	if err != nil || len(list) != 1 || list[0].Value != "held" {
		t.Errorf("list %+v, %v, want one of them, Value held", list, err)
	}
	if n, err := c.Move(t.Context(), Parked, "9", Retry); n != 1 || err != nil {
		t.Errorf("move %d, %v, want 1", n, err)
	}
	if err := c.HandOver(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := strings.Join(d.asked, ", "), "unban 192.0.2.0/24, unban 192.0.2.1/32, parked 9 retry, handover"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func TestRefusals(t *testing.T) {
	_, c := serve(t)
	_, err := c.Move(t.Context(), Held, "404", Drop)
	if err == nil || err.Error() != "no alert 404" || hint.Of(err) != "csmail held list shows them" {
		t.Errorf("error %v, hint %q, want the error \"no alert 404\", hint \"csmail held list shows them\"", err, hint.Of(err))
	}
	for _, path := range []string{"/list/nonsense", "/why?ip=x", "/nowhere"} {
		if _, err := ask[Status](t.Context(), c, "GET", path); err == nil {
			t.Errorf("%s is no error", path)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, err := NewClient(path).Status(t.Context())
	if !errors.Is(err, ErrNotRunning) || hint.Of(err) == "" {
		t.Errorf("error %v, want %q, a hint", err, ErrNotRunning)
	}
	// A dead daemon's socket refuses the connection, and is replaced.
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another csmail") {
		t.Errorf("two daemons on one socket: %v, want an error containing \"another csmail\"", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = Listen(path); err != nil {
		t.Fatalf("a dead daemon's socket: %v", err)
	}
	l.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a file was taken for a dead socket")
	}
}

// The socket is open to owner and group, however the process was started.
func TestSocketMode(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	for _, mask := range []int{0, 0o022, 0o077} {
		syscall.Umask(mask)
		path := filepath.Join(t.TempDir(), "s")
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("mask %#o: mode %v, %v, want Perm 0o660", mask, info.Mode(), err)
		}
		if after := syscall.Umask(mask); after != mask {
			t.Errorf("mask %#o became %#o", mask, after)
		}
	}
}

// Others cannot even ask in the moment before the mode is set.
func TestSocketIsNeverOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux creates a socket with a mode")
	}
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "s")
	l, err := listenClosed(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("mode %v, %v, want none for others", info.Mode(), err)
	}
}

// A daemon that is too busy to take a connection keeps its socket.
func TestBusyDaemonKeepsItsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until its queue is full
		var conn net.Conn
		if conn, err = net.Dial("unix", path); err == nil {
			defer conn.Close()
		}
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another csmail") {
		t.Errorf("error %v, want an error containing \"another csmail\"", err)
	}
}

// An asker that says or reads nothing is left in the end.
func TestServerWaitsForNobody(t *testing.T) {
	s := NewServer(&told{})
	if s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout <= answerTimeout || s.MaxHeaderBytes <= 0 {
		t.Errorf("timeouts: read %s, idle %s, write %s; %d bytes of header, want ReadTimeout more than 0, IdleTimeout more than 0, WriteTimeout more than %v, MaxHeaderBytes more than 0",
			s.ReadTimeout, s.IdleTimeout, s.WriteTimeout, s.MaxHeaderBytes, answerTimeout)
	}
}

func TestReport(t *testing.T) {
	_, client := serve(t)
	since := time.Date(2026, 11, 28, 13, 0, 0, 0, time.UTC)
	for _, until := range []time.Time{{}, since.Add(time.Hour)} {
		got, err := client.Report(t.Context(), since.In(time.FixedZone("", 3600)), until, "Europe/Berlin")
		if want := "2026-11-28T13:00:00Z\x00Europe/Berlin"; err != nil || !got.Whole || string(got.Window) != want || !got.Until.Equal(until) {
			t.Errorf("got %+v, %v, want the window %q until %s", got, err, want, until)
		}
	}
	if _, err := client.Report(t.Context(), time.Time{}, time.Time{}, ""); err == nil || err.Error() != "no report" {
		t.Errorf("no beginning: got %v, want no report", err)
	}
}
