//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestContainers: csmail in a container beside the mail server's refuses who is banned, with
// mailcow's settings of Postfix and Dovecot; and everybody gets in while its network is cut,
// while it is dead, and when its name is gone with it, as Docker takes it away.
func TestContainers(t *testing.T) {
	for _, r := range enforcing(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			testContainers(t, r)
		})
	}
}

func testContainers(t *testing.T, r release) {
	all := guests()
	var players []*Client
	for _, g := range all {
		players = append(players, g.Client)
	}
	csmail := cast([]scenario{{"csmail", "203.0.113.99", "203.0.113.99", false, verified, nil}})[0]
	d := newDoormanIn(t, r, players, surroundings{apart: csmail})
	d.decideAddresses()
	d.cscli("decisions", "add", "--scope", "username", "--value", account("bob"), "-d", "1h")
	d.await("the last decision is in force", func() bool {
		o, err := tryBox(all[len(all)-1].Client, portIMAP, "bob")
		return err == nil && o.refused
	})
	d.visit("up", all, true, 5*time.Second)
	d.mustBeNoOffence(all)

	if err := csmail.ns.ip("link set eth0 down"); err != nil {
		t.Fatal(err)
	}
	d.visit("the network is cut", all, false, 15*time.Second)
	_ = d.csmail.cmd.Process.Kill()
	<-d.csmail.done
	if err := csmail.ns.ip("link set eth0 up", "route replace "+serverV4+" dev eth0 src "+csmail.Addr.String()); err != nil {
		t.Fatal(err)
	}
	d.visit("dead", all, false, 10*time.Second)
	if err := os.WriteFile(filepath.Join(d.dir, "etc", "hosts"), []byte(hosts("")), 0o644); err != nil {
		t.Fatal(err)
	}
	d.visit("its name is gone", all, false, 10*time.Second)
}
