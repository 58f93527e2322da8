package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nkeys"
	"gopkg.in/yaml.v3"

	"csmail/pkg/cluster"
	"csmail/pkg/hint"
)

// Folder is where a plan and everything made of it lies.
type Folder struct{ Path string }

// The names of files in a Folder.
const (
	planFile = "plan.yaml"
	caFile   = "ca.pem"
	caKey    = "ca.key"
	hostKey  = "cluster.nkey"
	hostCA   = "cluster-ca.pem"
	hostConf = "cluster.yaml"
)

const planHead = "# The plan of a csmail cluster. csmail cluster reads and writes it; keep this folder: ca.key signs servers.\n"

// Exists reports whether there is a plan.
func (f Folder) Exists() bool {
	_, err := os.Stat(filepath.Join(f.Path, planFile))
	return err == nil
}

// Judge returns how a judge of the plan reaches the servers, with the files of this folder.
func (f Folder) Judge(p *Plan) cluster.Options {
	name := p.Judges[0].Name
	o := cluster.Options{
		Name: name, Stream: p.Stream, Replicas: p.Replicas, Credentials: filepath.Join(f.Host(name), hostKey), CA: filepath.Join(f.Host(name), hostCA),
	}
	for _, s := range p.Servers {
		o.Servers = append(o.Servers, s.Address())
	}
	return o
}

// Load reads the plan.
func (f Folder) Load() (Plan, error) {
	var p Plan
	path := filepath.Join(f.Path, planFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, hint.Wrap(fmt.Errorf("there is no plan of a cluster in %s", f.Path), "csmail cluster init makes one; --folder names where it lies")
	}
	if err != nil {
		return p, fmt.Errorf("the plan: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return p, hint.Wrap(fmt.Errorf("the plan %s: %w", path, err), "csmail cluster wrote this file, and no other tool should")
	}
	return p, p.Check()
}

// Write makes the missing keys and certificates, and writes the configuration of each
// server and each host. Keys and certificates that are there stay. A file that is written is
// whole or not there.
func (f Folder) Write(p *Plan, now time.Time) error {
	if err := p.Check(); err != nil {
		return err
	}
	if err := f.writeHosts(p); err != nil {
		return err
	}
	if err := f.writeServers(p, now); err != nil {
		return err
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return err
	}
	return write(filepath.Join(f.Path, planFile), append([]byte(planHead), text...), 0o600)
}

func (f Folder) writeServers(p *Plan, now time.Time) error {
	ca, a, err := f.authority(now)
	if err != nil {
		return err
	}
	for _, s := range p.Servers {
		folder := filepath.Join(f.Path, "servers", s.Name)
		if err := write(filepath.Join(folder, serverConf), []byte(p.ServerConf(s)), 0o640); err != nil {
			return err
		}
		if err := write(filepath.Join(folder, serverCA), ca, 0o644); err != nil {
			return err
		}
		if err := makePair(filepath.Join(folder, serverCert), filepath.Join(folder, serverKey), func() ([]byte, []byte, error) { return a.forServer(s, now) }); err != nil {
			return err
		}
	}
	for _, name := range p.Everybody() {
		if err := write(filepath.Join(f.Path, "hosts", name, hostCA), ca, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// authority returns the cluster's own authority, made if it is not there.
func (f Folder) authority(now time.Time) ([]byte, *authority, error) {
	certificate, key := filepath.Join(f.Path, caFile), filepath.Join(f.Path, caKey)
	if err := makePair(certificate, key, func() ([]byte, []byte, error) { return newAuthority(now) }); err != nil {
		return nil, nil, err
	}
	c, err := os.ReadFile(certificate)
	if err != nil {
		return nil, nil, err
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return nil, nil, err
	}
	a, err := readAuthority(c, k)
	if err != nil {
		return nil, nil, hint.Wrap(fmt.Errorf("%s: %w", key, err), "it is the key that signed the certificates of all servers: put it back from your backup")
	}
	return c, a, nil
}

// makePair makes a certificate and its key, unless both are there.
func makePair(certificate, key string, sign func() ([]byte, []byte, error)) error {
	_, errC := os.Stat(certificate)
	_, errK := os.Stat(key)
	if errC == nil && errK == nil {
		return nil
	}
	c, k, err := sign()
	if err != nil {
		return err
	}
	if err := write(key, k, 0o600); err != nil {
		return err
	}
	return write(certificate, c, 0o644)
}

// writeHosts makes the keys that are missing, and puts the public ones into the plan.
func (f Folder) writeHosts(p *Plan) error {
	for _, name := range p.Everybody() {
		folder := filepath.Join(f.Path, "hosts", name)
		public, err := f.key(name)
		if err != nil {
			return err
		}
		for _, list := range [][]Host{p.Judges, p.Edges} {
			for i := range list {
				if list[i].Name == name {
					list[i].Key = public
				}
			}
		}
		if p.trusted(Edge, name) == nil && p.trusted(Judge, name) == nil {
			continue
		}
		if err := write(filepath.Join(folder, hostConf), []byte(p.HostConf(name)), 0o640); err != nil {
			return err
		}
	}
	return nil
}

// key returns the public key of a host, and makes the key if there is none.
func (f Folder) key(name string) (string, error) {
	path := filepath.Join(f.Path, "hosts", name, hostKey)
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return "", fmt.Errorf("the key of %s: %w", name, err)
		}
		if seed, err = pair.Seed(); err != nil {
			return "", fmt.Errorf("the key of %s: %w", name, err)
		}
		if err := write(path, append(seed, '\n'), 0o600); err != nil {
			return "", err
		}
		return pair.PublicKey()
	}
	if err != nil {
		return "", fmt.Errorf("the key of %s: %w", name, err)
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("the key of %s: %s: %w", name, path, err), "csmail cluster remove and add make a new one")
	}
	return pair.PublicKey()
}

// Forget removes the files of a host that the plan no longer names.
func (f Folder) Forget(p *Plan, name string) error {
	if slices.Contains(p.Everybody(), name) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(f.Path, "hosts", name)); err != nil {
		return fmt.Errorf("the files of %s: %w", name, err)
	}
	return nil
}

// Host is the folder with the files of a host.
func (f Folder) Host(name string) string { return filepath.Join(f.Path, "hosts", name) }

// Server is the folder with the files of a server.
func (f Folder) Server(name string) string { return filepath.Join(f.Path, "servers", name) }

// write writes a file as a whole, with the folders above it.
func write(path string, text []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return hint.Wrap(fmt.Errorf("the folder of the cluster: %w", err), "--folder names another one")
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
		return nil
	}
	draft := path + ".new"
	err := os.WriteFile(draft, text, mode)
	if err == nil {
		err = os.Chmod(draft, mode) // a draft of an earlier try keeps its own mode
	}
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
