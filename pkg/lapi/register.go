package lapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"csmail/pkg/hint"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/go-openapi/strfmt"
	"gopkg.in/yaml.v3"
)

// Registration says how a machine makes itself known to a LAPI that has
// auto_registration on.
type Registration struct {
	URL        string // of the LAPI
	Token      string // its auto_registration.token
	Machine    string // the login to register
	CACertPath string // "" for the system's
}

// LoadOrRegister reads the credentials file. If there is none it registers this machine
// and writes the file, readable for the owner only. A registration that was interrupted
// is continued with the same password.
func LoadOrRegister(ctx context.Context, path string, r Registration, version string) (Credentials, error) {
	_, err := os.Stat(path)
	if r.Token == "" || !errors.Is(err, fs.ErrNotExist) {
		return LoadCredentials(path)
	}
	if err := r.register(ctx, path, version); err != nil {
		return Credentials{}, fmt.Errorf("register at the lapi: %w", err)
	}
	return LoadCredentials(path)
}

// register writes the password to a second file before it calls the LAPI: a machine that
// lost its password can neither log in nor register again.
func (r Registration) register(ctx context.Context, path, version string) error {
	unfinished := path + ".unfinished"
	c, err := loadCredentials(unfinished)
	if err != nil || c.URL != r.URL || c.Login != r.Machine {
		c = Credentials{URL: r.URL, Login: r.Machine, Password: rand.Text() + rand.Text(), CACertPath: r.CACertPath, path: path}
		if err := c.check(); err != nil {
			return err
		}
		if err := c.write(unfinished); err != nil {
			return err
		}
	}
	client, err := New(c, version)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.register(ctx, r.Token); err != nil {
		return err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// register makes the machine known to the LAPI. If it is already known with this
// password, that is a success.
func (c *Client) register(ctx context.Context, token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setToken("none") // else CrowdSec's client would log in first
	password := strfmt.Password(c.credentials.Password)
	request := models.WatcherRegistrationRequest{MachineID: &c.credentials.Login, Password: &password, RegistrationToken: token}
	err := c.once(ctx, "register", func(ctx context.Context) (*apiclient.Response, error) {
		return c.api.Auth.RegisterWatcher(ctx, request)
	})
	if err == nil || !isRefused(err) {
		return settle(err)
	}
	if strings.Contains(wordsOf(err), "already exist") {
		if c.login(ctx) == nil {
			return nil
		}
		return hint.Wrap(err, "another machine has this name: sudo cscli machines delete %s on the LAPI's host, or choose another", c.credentials.Login)
	}
	return hint.Wrap(err, "are token and address those of api.server.auto_registration in CrowdSec's config.yaml?")
}

// write makes the file whole or not at all, for the owner only.
func (c Credentials) write(path string) error {
	text, err := yaml.Marshal(struct {
		URL      string `yaml:"url"`
		Login    string `yaml:"login"`
		Password string `yaml:"password"`
		CACert   string `yaml:"ca_cert_path,omitempty"`
	}{c.URL, c.Login, c.Password, c.CACertPath})
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".lapi-*") // of mode 0600
	if err != nil {
		return hint.Wrap(fmt.Errorf("write the credentials: %w", err), "lapi.credentials is to name a place that csmail may write: /var/lib/csmail/lapi_credentials.yaml")
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the credentials: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the name of a new file durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Unregister has the LAPI forget this machine. A LAPI before 1.6.3 does not do that at a
// machine's own request, which is an error with the command for the LAPI's host; a
// machine that it does not know is none.
func (c *Client) Unregister(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	advice := "on the LAPI's host: sudo cscli machines delete " + c.credentials.Login
	err := c.call(ctx, "unregister", func(ctx context.Context) (*apiclient.Response, error) {
		return c.api.Auth.UnregisterWatcher(ctx)
	})
	switch {
	case err == nil, isRefused(err):
		return nil
	case isUnknownEndpoint(err):
		return hint.Wrap(errors.New("the LAPI forgets no machine at its own request"), "%s", advice)
	}
	return hint.Wrap(settle(err), "%s", advice)
}
