package plan

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/hint"
)

var update = flag.Bool("update", false, "write the golden files anew")

func example(t *testing.T) Plan {
	t.Helper()
	p := Plan{Stream: "CSMAIL", Replicas: 3, ServerFolder: "/etc/nats", StoreFolder: "/var/lib/nats", HostFolder: "/etc/csmail"}
	for _, s := range []string{"hub1.example.org", "hub2.example.org:4333", "2001:db8::1"} {
		if err := p.AddServer(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range []struct {
		role Role
		name string
	}{{Judge, "judge1"}, {Judge, "mx1"}, {Edge, "mx2"}, {Edge, "mx1"}} {
		if err := p.Add(h.role, h.name); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

var publicKey = regexp.MustCompile(`U[A-Z2-7]{55}`)

func TestFiles(t *testing.T) {
	p, f := example(t), Folder{t.TempDir()}
	if err := f.Write(&p, time.Now()); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, path := range []string{"plan.yaml", "servers/hub1/nats-server.conf", "servers/n3/nats-server.conf", "hosts/mx1/cluster.yaml", "hosts/mx2/cluster.yaml", "hosts/judge1/cluster.yaml"} {
		text, err := os.ReadFile(filepath.Join(f.Path, path))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("=== " + path + "\n" + publicKey.ReplaceAllString(string(text), "U..."))
	}
	for _, name := range regexp.MustCompile(`(?m)^  "([^"]*)" \{$`).FindAllStringSubmatch(b.String(), -1) {
		if strings.ContainsAny(name[1], " \t") {
			t.Errorf("the account %q: the servers cannot tell each other of a name with spaces", name[1])
		}
	}
	golden := "testdata/files.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the files differ (-want +got):\n%s", diff)
	}
}

// contents returns every file below a folder.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, folder+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Keys and certificates are made once: what was copied to the hosts stays good.
func TestWriteAgain(t *testing.T) {
	p, f := example(t), Folder{t.TempDir()}
	write := func() map[string]string {
		if err := f.Write(&p, time.Now()); err != nil {
			t.Fatal(err)
		}
		return contents(t, f.Path)
	}
	before := write()
	if diff := cmp.Diff(before, write()); diff != "" {
		t.Errorf("written again, the files differ (-before +after):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(f.Server("hub1"), "server.pem")); err != nil {
		t.Fatal(err)
	}
	if after := write(); after["servers/hub1/server.pem"] == before["servers/hub1/server.pem"] || after["servers/n3/server.pem"] != before["servers/n3/server.pem"] {
		t.Error("a certificate that is missing is not made anew, or another one is")
	}
	for path := range before {
		info, err := os.Stat(filepath.Join(f.Path, path))
		if err != nil {
			t.Fatal(err)
		}
		if secret := strings.HasSuffix(path, ".key") || strings.HasSuffix(path, ".nkey"); secret && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", path, info.Mode().Perm())
		}
	}
}

// What a server shows is signed for the name by which the hosts reach it, and for no other.
func TestCertificates(t *testing.T) {
	p, f := example(t), Folder{t.TempDir()}
	if err := f.Write(&p, time.Now()); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(f.Path, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	for _, s := range p.Servers {
		pair, err := tls.LoadX509KeyPair(filepath.Join(f.Server(s.Name), "server.pem"), filepath.Join(f.Server(s.Name), "server.key"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: s.Host, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
				t.Errorf("%s: %v", s.Host, err)
			}
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: "mx1.example.org"}); err == nil {
			t.Errorf("the certificate of %s is good for another name", s.Host)
		}
	}
	block, _ := pem.Decode(ca)
	if c, err := x509.ParseCertificate(block.Bytes); err != nil || !c.IsCA || !c.MaxPathLenZero {
		t.Errorf("the authority: got %+v, %v, want one that signs servers only", c, err)
	}
}

func TestDistrust(t *testing.T) {
	p, f := example(t), Folder{t.TempDir()}
	if err := f.Write(&p, time.Now()); err != nil {
		t.Fatal(err)
	}
	stolen := p.Find(Edge, "mx2").Key
	if err := p.Distrust("mx2", time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&p, time.Now()); err != nil {
		t.Fatal(err)
	}
	conf := contents(t, f.Path)["servers/hub1/nats-server.conf"]
	if strings.Contains(conf, stolen) || strings.Contains(conf, "csmail.in.mx2") || !strings.Contains(conf, "# mx2 is distrusted since 2026-06-03T04:11:09Z.") {
		t.Errorf("the servers still know the key of a distrusted edge:\n%s", conf)
	}
	loaded, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := loaded.Names(Edge), []string{"mx1"}; !slices.Equal(got, want) {
		t.Errorf("trusted edges: got %q, want %q", got, want)
	}
	if err := loaded.Remove(Edge, "mx2"); err != nil {
		t.Fatal(err)
	}
	if err := f.Forget(&loaded, "mx2"); err != nil {
		t.Fatal(err)
	}
	if err := loaded.Add(Edge, "mx2"); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&loaded, time.Now()); err != nil {
		t.Fatal(err)
	}
	if loaded.Find(Edge, "mx2").Key == stolen {
		t.Error("an edge that was removed and added again has its old key")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Plan) error
		err    string
		hint   string
	}{
		{"no server", func(p *Plan) error { p.Servers = nil; return p.Check() }, "the cluster has no server", "--server hub1.example.org"},
		{"two servers", func(p *Plan) error { p.Servers = p.Servers[:2]; return p.Check() }, "2 servers", "three, so that one may fail"},
		{"replicas", func(p *Plan) error { p.Replicas = 4; return p.Check() }, "4 replicas on 3 servers", "leave --replicas out"},
		{"no judge", func(p *Plan) error { p.Judges = nil; return p.Check() }, "the cluster has no judge", "--judge NAME, twice"},
		{"stream", func(p *Plan) error { p.Stream = "a.b"; return p.Check() }, `"a.b" is no name of a stream`, "like CSMAIL"},
		{"folder", func(p *Plan) error { p.StoreFolder = "nats"; return p.Check() }, `the folder "nats": must be a whole path`, "{name}"},
		{"a name in the plan", func(p *Plan) error { p.Edges[0].Name = "../mx"; return p.Check() }, `"../mx" is no name of a host in a cluster`, "letters, digits and -"},
		{"a name with a dot", func(p *Plan) error { return p.Add(Edge, "mx1.example.org") }, `"mx1.example.org" is no name`, "like mx1-example-org"},
		{"a name that is all", func(p *Plan) error { return p.Add(Edge, "*") }, `"*" is no name`, "letters"},
		{"a judge's subject", func(p *Plan) error { return p.Add(Edge, "_judges") }, `"_judges" is no name`, "letters"},
		{"added twice", func(p *Plan) error { return p.Add(Edge, "mx2") }, "mx2 is in the cluster already, as edge", "csmail cluster init writes"},
		{"unknown", func(p *Plan) error { return p.Remove(Edge, "mx9") }, `no edge is called "mx9"`, "mx1, mx2"},
		{"distrusted judge", func(p *Plan) error { return p.Distrust("mx1", time.Now()) }, "mx1 is a judge too", "csmail cluster judge remove mx1"},
		{"server twice", func(p *Plan) error { return p.AddServer("hub1.example.org") }, `server "hub1.example.org": it is named twice`, "three hosts"},
		{"port", func(p *Plan) error { return p.AddServer("hub4.example.org:99999") }, `server "hub4.example.org:99999": must be HOST or HOST:PORT`, "hub1.example.org:4222"},
		{"server with a quote", func(p *Plan) error { return p.AddServer(`hub"4`) }, "must be HOST or HOST:PORT", "hub1.example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := example(t)
			err := c.change(&p)
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(hint.Of(err), c.hint) {
				t.Errorf("got %v, hint %q; want %q, hint with %q", err, hint.Of(err), c.err, c.hint)
			}
		})
	}
}

func TestBadFolder(t *testing.T) {
	f := Folder{t.TempDir()}
	if _, err := f.Load(); err == nil || !strings.Contains(hint.Of(err), "csmail cluster init makes one") {
		t.Errorf("without a plan: got %v, hint %q", err, hint.Of(err))
	}
	for name, text := range map[string]string{"unknown key": "strem: x\n", "no plan": "servers: []\n", "no YAML": "a: [\n"} {
		if err := os.WriteFile(filepath.Join(f.Path, "plan.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Load(); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: got %v, want an error with a hint", name, err)
		}
	}
	p := example(t)
	if err := f.Write(&p, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"ca.key", "hosts/mx1/cluster.nkey"} {
		whole, err := os.ReadFile(filepath.Join(f.Path, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.Path, path), []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(&p, time.Now()); err == nil || !strings.Contains(err.Error(), path) || hint.Of(err) == "" {
			t.Errorf("with a bad %s: got %v, hint %q", path, err, hint.Of(err))
		}
		if err := os.WriteFile(filepath.Join(f.Path, path), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
