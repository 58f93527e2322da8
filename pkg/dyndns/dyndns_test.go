package dyndns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone answers as a resolver would.
type zone struct {
	mu    sync.Mutex
	hosts map[string][]string
	hangs bool
}

func (z *zone) set(name string, addrs ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.hosts == nil {
		z.hosts = map[string][]string{}
	}
	z.hosts[name] = addrs
}

func (z *zone) hang(on bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.hangs = on
}

func (z *zone) lookup(ctx context.Context, name string) (all []netip.Addr, err error) {
	z.mu.Lock()
	hangs, hosts := z.hangs, z.hosts[name]
	z.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, h := range hosts {
		all = append(all, netip.MustParseAddr(h))
	}
	if len(all) == 0 {
		err = errors.New("no such host")
	}
	return all, err
}

func show(n *Names) string {
	var all []string
	for _, a := range n.Addresses() {
		all = append(all, a.Name+"="+a.Network.String())
	}
	return strings.Join(all, " ")
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer []string
		want   string
	}{
		"one":                {[]string{"192.0.2.7"}, "a.example=192.0.2.7/32"},
		"both families":      {[]string{"2001:db8:1:2::7", "192.0.2.7"}, "a.example=192.0.2.7/32 a.example=2001:db8:1:2::/64"},
		"two of one /64":     {[]string{"2001:db8:1:2::7", "2001:db8:1:2::8"}, "a.example=2001:db8:1:2::/64"},
		"mapped":             {[]string{"::ffff:192.0.2.7"}, "a.example=192.0.2.7/32"},
		"switched off":       {[]string{"0.0.0.0"}, ""},
		"itself":             {[]string{"127.0.0.1", "::1"}, ""},
		"one of two is none": {[]string{"127.0.0.1", "192.0.2.7"}, "a.example=192.0.2.7/32"},
		"multicast":          {[]string{"224.0.0.1", "ff02::1"}, ""},
		"nothing":            {nil, ""},
	} {
		z := &zone{}
		z.set("a.example", c.answer...)
		n := New(Options{Lookup: z.lookup})
		n.Set([]string{"a.example"})
		n.Look(t.Context())
		if got := show(n); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if got := len(n.Unknown()) == 0; got != (c.want != "") {
			t.Errorf("%s: known: got %t", name, got)
		}
	}
}

func TestManyAddresses(t *testing.T) {
	z := &zone{}
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("192.0.2.%d", i+1))
	}
	z.set("a.example", all...)
	n := New(Options{Lookup: z.lookup})
	n.Set([]string{"a.example"})
	n.Look(t.Context())
	if got := len(n.Addresses()); got != maxAddresses {
		t.Errorf("got %d addresses, want %d", got, maxAddresses)
	}
}

// A change is seen within a minute; what the name was stays for an hour. While the
// resolver fails or hangs the last good answer stays, for a week.
func TestLifeOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{}
		z.set("a.example", "192.0.2.7")
		n := New(Options{Lookup: z.lookup})
		n.Set([]string{"A.example."})
		var changes int
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { n.Run(ctx, func() { changes++ }); close(done) }()
		defer func() { cancel(); <-done }()
		step := func(what string, wait time.Duration, want string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if got := show(n); got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		step("at once", 0, "a.example=192.0.2.7/32")
		z.set("a.example", "192.0.2.8")
		step("it moved", 2*time.Minute, "a.example=192.0.2.7/32 a.example=192.0.2.8/32")
		step("an hour later", time.Hour, "a.example=192.0.2.8/32")
		if changes != 3 {
			t.Errorf("got %d changes, want 3", changes)
		}
		z.set("a.example")
		step("the resolver fails", 6*24*time.Hour, "a.example=192.0.2.8/32")
		z.hang(true)
		step("and hangs", 12*time.Hour, "a.example=192.0.2.8/32")
		step("for more than a week", 24*time.Hour, "")
		z.hang(false)
		z.set("a.example", "192.0.2.9")
		step("it is back", 2*time.Minute, "a.example=192.0.2.9/32")
		n.Set(nil)
		step("it is no longer named", 0, "")
	})
}

func TestKeptOverARestart(t *testing.T) {
	z := &zone{}
	z.set("a.example", "192.0.2.7", "2001:db8::7")
	z.set("b.example", "192.0.2.8")
	var kept []byte
	keep := func(b []byte) error { kept = slices.Clone(b); return nil }
	n := New(Options{Lookup: z.lookup, Keep: keep})
	n.Set([]string{"a.example", "b.example"})
	n.Look(t.Context())
	want := "a.example=192.0.2.7/32 a.example=2001:db8::/64"

	again := New(Options{Lookup: (&zone{}).lookup, Keep: keep})
	again.Set([]string{"a.example", "c.example"})
	if err := again.Restore(kept); err != nil {
		t.Fatal(err)
	}
	if got := show(again); got != want {
		t.Errorf("before the first look-up: got %q, want %q", got, want)
	}
	again.Look(t.Context())
	if got := show(again); got != want {
		t.Errorf("after one that failed: got %q, want %q", got, want)
	}
	if got := again.Unknown(); !slices.Equal(got, []string{"c.example"}) {
		t.Errorf("unknown: got %q", got)
	}
	for _, bad := range []string{"{", `{"a.example":{"addresses":[{"ip":"nonsense"}]}}`, "7"} {
		if err := New(Options{}).Restore([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	loop := New(Options{})
	loop.Set([]string{"a.example"})
	if err := loop.Restore([]byte(`{"a.example":{"good":"2100-01-01T00:00:00Z","addresses":[{"ip":"127.0.0.1","at":"2100-01-01T00:00:00Z"}]}}`)); err != nil || show(loop) != "" {
		t.Errorf("a loopback address: got %q, %v", show(loop), err)
	}
}
