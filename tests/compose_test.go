package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"csmail/pkg/cli"
	"csmail/pkg/config"
)

// service is a service of config/cluster/compose.yaml.
type service struct {
	Image, Hostname, Restart string
	Profiles                 []string
	Command                  []string
	DependsOn                []string `yaml:"depends_on"`
	Volumes                  []string
}

// The compose file names what its service plan writes: each folder is made, each
// configuration lies where its service looks for it and is read, each server answers by the
// name that its certificate is for. Docker itself is not asked.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("../config/cluster/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Name     string
		Services map[string]service
		Volumes  map[string]any
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&compose); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "plan")
	args := slices.Clone(compose.Services["plan"].Command)
	args[slices.Index(args, "/plan")] = folder
	var out, errs bytes.Buffer
	if status := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("csmail %s: status %d: %s", strings.Join(args, " "), status, errs.String())
	}
	for name, s := range compose.Services {
		if name == "plan" {
			continue
		}
		if s.Hostname != name {
			t.Errorf("%s: got the host name %q, want its own", name, s.Hostname)
		}
		checkVolumes(t, name, s, folder, compose.Volumes)
	}
	for _, name := range []string{"nats1", "nats2", "nats3"} {
		if _, err := os.Stat(filepath.Join(folder, "servers", name, "server.pem")); err != nil {
			t.Errorf("the server %s has no certificate: %v", name, err)
		}
	}
}

// checkVolumes looks whether the folder that a service mounts holds the configuration that
// its command names.
func checkVolumes(t *testing.T, name string, s service, folder string, volumes map[string]any) {
	t.Helper()
	conf := s.Command[slices.Index(s.Command, "-c")+1]
	found := false
	for _, v := range s.Volumes {
		from, to, _ := strings.Cut(v, ":")
		to = strings.TrimSuffix(to, ":ro")
		path, planned := strings.CutPrefix(from, "./plan/")
		if _, named := volumes[from]; !planned && !named && !strings.HasPrefix(from, "/") {
			t.Errorf("%s: nothing makes the volume %q", name, from)
		}
		if !planned || filepath.Dir(conf) != to {
			continue
		}
		found = true
		path = filepath.Join(folder, path, filepath.Base(conf))
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Image != "csmail" {
			continue
		}
		c, err := config.Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.Cluster.Name != name || filepath.Dir(c.Cluster.Credentials) != to {
			t.Errorf("%s: got the name %q and the key %s, want its own in %s", name, c.Cluster.Name, c.Cluster.Credentials, to)
		}
	}
	if !found {
		t.Errorf("%s: no volume holds %s", name, conf)
	}
}
