package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/crowdsecurity/go-cs-lib/csstring"
	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

// Load reads the file at path, or at [DefaultPath] if path is empty; only then
// may it be missing. A file with .local behind its name is laid over it: its
// scalars and lists replace, its maps add.
func Load(path string) (Config, error) {
	named := path != ""
	if !named {
		path = DefaultPath
	}
	c := Default()
	err := c.lay(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		err = nil
	}
	if err != nil {
		return Config{}, err
	}
	if err := c.lay(path + ".local"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Config{}, err
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("the configuration %q: %w", path, err)
	}
	return c, nil
}

// Socket returns the control socket named by the file at path, and the default if it
// names none. Faults in the rest of the file do not matter: a daemon that has refused to
// reload it still listens there. The only errors are those of reading.
func Socket(path string) (string, error) {
	if path == "" {
		path = DefaultPath
	}
	only := struct {
		Socket string `yaml:"socket"`
	}{Default().Socket}
	for _, name := range [...]string{path, path + ".local"} {
		text, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := yaml.Unmarshal(text, &only); err != nil {
			continue // no YAML at all: the part read so far counts
		}
	}
	return only.Socket, nil
}

// read reads a file and names it in the error.
func read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("reading the configuration: %w", err), "%s", readHint(err))
	}
	// The newline: a dollar that ends the text is more than StrictExpand can take.
	return []byte(csstring.StrictExpand(string(data)+"\n", os.LookupEnv)), nil
}

// lay reads a file over c.
func (c *Config) lay(path string) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the configuration %q: %w", path, plain(err))
	}
	return nil
}

// readHint returns the remedy for an error of YAML.
func readHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run it with sudo, or as a member of the file's group: sudo usermod -aG csmail USER"
	}
	return "without -c csmail reads " + DefaultPath + ", which may be missing"
}

// YAML returns the configuration as a file would hold it, with its secrets
// masked.
func (c Config) YAML() ([]byte, error) {
	for _, secret := range []*string{&c.LAPI.BouncerKey, &c.LAPI.RegistrationToken, &c.Bouncer.APIKey, &c.Enforce.AuthPolicy.Key} {
		if *secret != "" {
			*secret = "********"
		}
	}
	return yaml.Marshal(c)
}
