package daemon

import (
	"context"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// A LAPI that takes a request and never answers does not hold up the end.
func TestStopsWhileLAPIHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r := newRig(t)
	hung := make(chan struct{}, 10)
	r.lapi.hang(func(req *http.Request) {
		hung <- struct{}{}
		<-req.Context().Done()
	})
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	for range 2 { // the sender and the heartbeat
		select {
		case <-hung:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody asked the LAPI")
		}
	}
	r.eventually("the alert is in the outbox", func() bool {
		s, err := r.ask.Status(context.Background())
		return err == nil && s.Outbox.Pending == 1
	})
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to end, want at most 10s", took)
	}
	r.lapi.hang(nil)
	r.start()
	r.delivered(1)
}

// A reload while the state file cannot be written reads nothing twice and loses
// nothing.
func TestReloadOnFullDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kill := r.live()
	defer kill()
	r.guesses(3, attacker, "bob", time.Now())
	r.eventually("three lines are stored", r.isStored)
	free := r.fillDisk()
	r.guesses(2, attacker, "bob", time.Now())
	r.eventually("status says that the disk is full", func() bool {
		s, err := r.ask.Status(t.Context())
		return err == nil && s.State.Error != ""
	})
	r.configure("guard: {bans_per_hour: 7}")
	if err := r.child.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.await("READY=1")
	r.eventually("it still is", func() bool {
		s, err := r.ask.Status(t.Context())
		return err == nil && s.State.Error != "" && s.Reload == ""
	})
	free()
	r.guesses(6, "203.0.113.8", "bob", time.Now())
	if got := r.delivered(1); !slices.Equal(got, []string{"csmail/auth-bf 203.0.113.8"}) {
		t.Fatalf("five attempts became six: %q, want %q", got, []string{"csmail/auth-bf 203.0.113.8"})
	}
	r.guesses(1, attacker, "bob", time.Now())
	if got := r.delivered(1); len(got) != 2 {
		t.Errorf("alerts %q, want 2 of them", got)
	}
}

// Nobody but csmail's user and group speaks to it, or reads what it keeps.
func TestPermissions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	for name, want := range map[string]os.FileMode{"sock": 0o660, "state.db": 0o600} {
		info, err := os.Stat(r.path(name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}
