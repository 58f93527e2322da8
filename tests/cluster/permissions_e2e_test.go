//go:build e2e

package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	pkgcluster "csmail/pkg/cluster"
)

// planned starts three servers as csmail cluster init plans them, and has a judge's key make
// the stream and the buckets.
func planned(t *testing.T) *Lab {
	t.Helper()
	l := &Lab{Dir: t.TempDir(), Csmail: csmail, Nats: natsServer}
	must(t, l.AddPlannedNodes(judgeNames, []string{"mx1", "mx2"}))
	for _, p := range l.Nodes {
		must(t, p.Start())
		t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	}
	must(t, pkgcluster.Create(t.Context(), l.options(judgeNames[0])))
	return l
}

func (l *Lab) options(name string) pkgcluster.Options {
	folder := filepath.Join(l.Plan(), "hosts", name)
	return pkgcluster.Options{
		Log: slog.New(slog.DiscardHandler), Name: name, Servers: l.Servers, Credentials: filepath.Join(folder, "cluster.nkey"), CA: filepath.Join(folder, "cluster-ca.pem"), Stream: "CSMAIL", Replicas: 3,
	}
}

// dial connects with the key of a host, as an attacker who has it does: without csmail.
func dial(t *testing.T, l *Lab, name string) *nats.Conn {
	t.Helper()
	nc, err := connect(l, name)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func connect(l *Lab, name string) (*nats.Conn, error) {
	o := l.options(name)
	key, err := nats.NkeyOptionFromSeed(o.Credentials)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return nats.Connect(strings.Join(o.Servers, ","), key, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}),
		nats.CustomInboxPrefix("_INBOX_"+name), nats.MaxReconnects(0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

// forbidden are subjects that the key of the edge mx1 must not send to. The server answers
// each with a refusal.
var forbidden = []string{
	"csmail.in.mx2", "csmail.in._judges", "csmail.in.mx1.more", "csmail.in.nobody", "csmail.in", "other",
	"$KV.CSMAIL.leader", "$KV.CSMAIL_AT.judge1.mx1", "$KV.CSMAIL_AT.judge1.mx2",
	"$JS.API.INFO", "$JS.API.STREAM.INFO.CSMAIL", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST",
	"$JS.API.STREAM.MSG.GET.CSMAIL", "$JS.API.DIRECT.GET.CSMAIL", "$JS.API.DIRECT.GET.CSMAIL.csmail.in.mx2", "$JS.API.DIRECT.GET.CSMAIL.csmail.in._judges",
	"$JS.API.DIRECT.GET.KV_CSMAIL.$KV.CSMAIL.leader", "$JS.API.DIRECT.GET.KV_CSMAIL_AT.$KV.CSMAIL_AT.judge1.mx2", "$JS.API.DIRECT.GET.KV_CSMAIL_AT.$KV.CSMAIL_AT._judges._secret", "$JS.API.DIRECT.GET.KV_CSMAIL_AT",
	"$JS.API.STREAM.CREATE.EVIL", "$JS.API.STREAM.UPDATE.CSMAIL", "$JS.API.STREAM.DELETE.CSMAIL", "$JS.API.STREAM.PURGE.CSMAIL", "$JS.API.STREAM.MSG.DELETE.CSMAIL",
	"$JS.API.CONSUMER.CREATE.CSMAIL", "$JS.API.CONSUMER.CREATE.CSMAIL.evil", "$JS.API.CONSUMER.MSG.NEXT.CSMAIL.evil", "$JS.API.CONSUMER.NAMES.CSMAIL",
	"$JS.API.STREAM.LEADER.STEPDOWN.CSMAIL", "$JS.ACK.CSMAIL.x.1.1.1.1.1", "$SYS.REQ.SERVER.PING", "_INBOX_mx2.x", "_INBOX_judge1.x",
}

// The key of an edge may send what its host reads, ask for its own newest message and for
// what judges have stored of it, and nothing else.
func TestPermissionsOfAnEdge(t *testing.T) {
	l := planned(t)
	nc, other, judge := dial(t, l, "mx1"), dial(t, l, "mx2"), dial(t, l, judgeNames[0])
	ask := func(nc *nats.Conn, subject, text string) string {
		t.Helper()
		m, err := nc.Request(subject, []byte(text), 10*time.Second)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		return m.Header.Get("Status") + string(m.Data)
	}
	if got := ask(other, "csmail.in.mx2", "secret of mx2"); !strings.Contains(got, `"seq":1`) {
		t.Fatalf("mx2 sends: got %s", got)
	}
	if got := ask(nc, "csmail.in.mx1", "of mx1"); !strings.Contains(got, `"seq":2`) {
		t.Fatalf("mx1 sends: got %s", got)
	}
	if got := ask(nc, "$JS.API.DIRECT.GET.CSMAIL.csmail.in.mx1", ""); got != "of mx1" {
		t.Errorf("mx1 asks for its newest: got %q", got)
	}
	if got := ask(nc, "$JS.API.DIRECT.GET.KV_CSMAIL_AT.$KV.CSMAIL_AT.judge1.mx1", ""); got != "404" {
		t.Errorf("mx1 asks what judge1 has stored: got %q, want 404, there is nothing", got)
	}
	for _, subject := range forbidden {
		if err := refusalOf(nc, func() error { return nc.Publish(subject, []byte("x")) }); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("mx1 sends to %s: got %v, want a refusal", subject, err)
		}
	}
	for _, subject := range []string{"csmail.in.>", "csmail.in.mx1", "csmail.in.mx2", ">", "_INBOX_mx2.>", "_INBOX_judge1.>", "_INBOX.>", "$JS.>", "$KV.>", "$SYS.>"} {
		err := refusalOf(nc, func() error { _, err := nc.SubscribeSync(subject); return err })
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("mx1 listens to %s: got %v, want a refusal", subject, err)
		}
	}
	// A question with a number in it must not fetch what others sent.
	if got := ask(nc, "$JS.API.DIRECT.GET.CSMAIL.csmail.in.mx1", `{"seq":1}`); strings.Contains(got, "secret") {
		t.Errorf("mx1 reads %q of mx2", got)
	}
	if got := ask(nc, "$JS.API.DIRECT.GET.CSMAIL.csmail.in.mx1", `{"multi_last":["csmail.in.*"]}`); strings.Contains(got, "secret") {
		t.Errorf("mx1 reads %q of mx2", got)
	}
	for _, header := range []string{"Nats-Rollup", "Nats-TTL"} {
		m := nats.NewMsg("csmail.in.mx1")
		m.Header.Set(header, map[string]string{"Nats-Rollup": "all", "Nats-TTL": "1s"}[header])
		if answer, err := nc.RequestMsg(m, 10*time.Second); err != nil || !strings.Contains(string(answer.Data), `"error"`) {
			t.Errorf("mx1 sends %s: got %v, %v, want a refusal", header, answer, err)
		}
	}
	if got, want := subjectsOf(t, judge), []string{"csmail.in.mx1", "csmail.in.mx2"}; !slices.Equal(got, want) {
		t.Errorf("the streams hold %q, want %q", got, want)
	}
}

// refusalOf returns what the server complains of when something is sent.
func refusalOf(nc *nats.Conn, send func() error) error {
	told := make(chan error, 10)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { told <- err })
	if err := send(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	select {
	case err := <-told:
		return err
	case <-time.After(5 * time.Second):
		return nil
	}
}

// subjectsOf returns the subjects that the stream and the buckets hold messages of.
func subjectsOf(t *testing.T, judge *nats.Conn) (all []string) {
	t.Helper()
	for _, stream := range []string{"CSMAIL", "KV_CSMAIL", "KV_CSMAIL_AT"} {
		m, err := judge.Request("$JS.API.STREAM.INFO."+stream, []byte(`{"subjects_filter":">"}`), 10*time.Second)
		must(t, err)
		var info struct {
			Error any
			State struct{ Subjects map[string]int }
		}
		must(t, json.Unmarshal(m.Data, &info))
		if info.Error != nil {
			t.Errorf("the stream %s: got %v, want it there", stream, info.Error)
		}
		for subject := range info.State.Subjects {
			all = append(all, subject)
		}
	}
	slices.Sort(all)
	return all
}

// A server does not look whether a client may send to the subject that it wants its answer
// at. An edge could have the server write its own words into the stream as another's, as an
// order to the judges, or into the lease.
func TestAnswersStayWithWhoAsked(t *testing.T) {
	l := planned(t)
	nc, judge := dial(t, l, "mx1"), dial(t, l, judgeNames[0])
	_, err := nc.Request("csmail.in.mx1", []byte(`{"unban":"192.0.2.1/32","name":"mx1"}`), 10*time.Second)
	must(t, err)
	for _, reply := range []string{
		"csmail.in.mx2", "csmail.in._judges", "$KV.CSMAIL.leader", "$KV.CSMAIL_AT.judge1.mx2", "$JS.API.STREAM.DELETE.KV_CSMAIL_AT", "$JS.API.STREAM.PURGE.CSMAIL",
	} {
		for _, subject := range []string{"csmail.in.mx1", "$JS.API.DIRECT.GET.CSMAIL.csmail.in.mx1", "$JS.API.DIRECT.GET.KV_CSMAIL_AT.$KV.CSMAIL_AT.judge1.mx1"} {
			must(t, nc.PublishRequest(subject, reply, nil))
		}
	}
	must(t, nc.Flush())
	time.Sleep(time.Second) // what must not happen has no end to wait for
	if got, want := subjectsOf(t, judge), []string{"csmail.in.mx1"}; !slices.Equal(got, want) {
		t.Errorf("the streams hold %q, want %q", got, want)
	}
}

// Who has no key, a key of another cluster, or one that was taken away, gets in nowhere.
func TestKeysThatAreWorthNothing(t *testing.T) {
	l := planned(t)
	pem, err := os.ReadFile(filepath.Join(l.Plan(), "ca.pem"))
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	trust := nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
	if _, err := nats.Connect(l.Servers[0], trust); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a key: got %v, want a refusal", err)
	}
	if _, err := nats.Connect(l.Servers[0]); err == nil {
		t.Error("without the authority: got a connection")
	}
	kept := filepath.Join(l.Dir, "old.nkey")
	seed, err := os.ReadFile(l.options("mx1").Credentials)
	must(t, err)
	must(t, os.WriteFile(kept, seed, 0o600))
	nc := dial(t, l, "mx1")
	l.change(t, "distrust", "mx1")
	for deadline := time.Now().Add(30 * time.Second); nc.IsConnected(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection of a distrusted edge still stands")
		}
	}
	if _, err := connect(l, "mx1"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a distrusted edge: got %v, want a refusal", err)
	}
	if got := subjectsOf(t, dial(t, l, judgeNames[0])); !slices.Contains(got, "csmail.in._judges") {
		t.Errorf("the streams hold %q, want the order to distrust the edge", got)
	}
	l.change(t, "remove", "mx1")
	l.change(t, "add", "mx1")
	dial(t, l, "mx1")
	l.change(t, "add", "mx3")
	newcomer := dial(t, l, "mx3")
	_, err = newcomer.Request("csmail.in.mx3", []byte("x"), 10*time.Second)
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		_, err = newcomer.Request("csmail.in.mx3", []byte("x"), 10*time.Second)
	}
	if err != nil {
		t.Errorf("a new edge sends: %v", err)
	}
	must(t, os.WriteFile(l.options("mx1").Credentials, seed, 0o600))
	if _, err := connect(l, "mx1"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("the old key of an edge that got a new one: got %v, want a refusal", err)
	}
}

// change changes the plan, and has the servers take it.
func (l *Lab) change(t *testing.T, verb, name string) {
	t.Helper()
	out, err := exec.Command(csmail, "cluster", "edge", verb, name, "--folder", l.Plan()).CombinedOutput()
	if err != nil {
		t.Fatalf("csmail cluster edge %s %s: %v: %s", verb, name, err, out)
	}
	// A reload is not enough: nats-server 2.15.2 keeps the connections of an account that is
	// gone, and answers none of a new one.
	for _, p := range l.Nodes {
		p.Stop(syscall.SIGTERM)
		must(t, p.Start())
		time.Sleep(2 * time.Second)
	}
}

// A look at the servers says what is wrong with them.
func TestLookAtServers(t *testing.T) {
	l := planned(t)
	v, err := pkgcluster.Look(t.Context(), l.options(judgeNames[0]), judgeNames, []string{"mx1", "mx2"})
	must(t, err)
	if len(v.Replicas) != 3 || !v.Replicas[0].Leads || v.Stream != "CSMAIL" || v.Ends.Before(time.Now().Add(24*time.Hour)) || len(v.Stored) != 4 {
		t.Errorf("got %+v, want three servers, one of them leading, and a certificate", v)
	}
	l.Nodes[2].Stop(syscall.SIGKILL)
	away := func() bool {
		v, err = pkgcluster.Look(t.Context(), l.options(judgeNames[0]), judgeNames, nil)
		return err == nil && slices.ContainsFunc(v.Replicas, func(r pkgcluster.Replica) bool { return r.Name == "n3" && (r.Away || !r.Current) })
	}
	for deadline := time.Now().Add(time.Minute); !away(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %s, %v, want that n3 is away", fmt.Sprintf("%+v", v), err)
		}
	}
	_, err = pkgcluster.Look(t.Context(), l.options("mx1"), judgeNames, nil)
	if err == nil || !strings.Contains(err.Error(), "ermissions") {
		t.Errorf("with the key of an edge: got %v, want a refusal", err)
	}
}

// What an edge sends reaches the judges as it is, also what looks like word of the server to
// the one who reads the stream.
func TestReadStream(t *testing.T) {
	l := planned(t)
	nc := dial(t, l, "mx1")
	var want []string
	for n := range 700 { // more than one question asks for
		m := nats.NewMsg("csmail.in.mx1")
		switch n % 7 {
		case 0:
			m.Header.Set("Status", "409")
			m.Header.Set("Description", "Consumer Deleted")
		case 1:
			m.Header.Set("Status", "503")
		default:
			m.Data = fmt.Append(nil, n)
		}
		_, err := nc.RequestMsg(m, 10*time.Second)
		must(t, err)
		want = append(want, string(m.Data))
	}
	conn, err := pkgcluster.Connect(l.options(judgeNames[0]))
	must(t, err)
	defer conn.Close()
	var got []string
	enough := errors.New("enough")
	err = conn.Judges().Follow(t.Context(), pkgcluster.Place{}, func(m pkgcluster.Message) error {
		if m.Edge != "mx1" || m.Place.Sequence != uint64(len(got)+1) || time.Since(m.Stamp) > time.Hour {
			t.Errorf("got %+v, want message %d of mx1", m, len(got)+1)
		}
		if got = append(got, string(m.Data)); len(got) == len(want) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Equal(got, want) {
		t.Errorf("got %d messages, %v, want the %d that were sent", len(got), err, len(want))
	}
}
