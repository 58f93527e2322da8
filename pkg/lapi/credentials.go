package lapi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"csmail/pkg/hint"

	"gopkg.in/yaml.v3"
)

// Credentials are the address of the LAPI and the identity of this machine. Either Login
// and Password or CertPath and KeyPath are set.
type Credentials struct {
	URL        string // http(s)://HOST:PORT/ or the path of a unix socket
	Login      string
	Password   string
	CertPath   string
	KeyPath    string
	CACertPath string

	path string // of the file, for hints
}

// String hides the password.
func (c Credentials) String() string { return fmt.Sprintf("%s at %s", c.Login, shownURL(c.URL)) }

// GoString hides the password.
func (c Credentials) GoString() string { return c.String() }

// LoadCredentials reads a file as "cscli machines add" writes it: url, login and
// password, or url, cert_path and key_path, with ca_cert_path if wanted. An
// unknown key is an error. Every error names the file and carries a hint.
func LoadCredentials(path string) (Credentials, error) {
	c, err := loadCredentials(path)
	if err == nil {
		return c, nil
	}
	err = fmt.Errorf("lapi credentials: %w", err)
	if errors.Is(err, fs.ErrPermission) {
		return Credentials{}, hint.Wrap(err, "run as root, or: sudo chgrp csmail %s && sudo chmod 640 %[1]s", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, hint.Wrap(err, "sudo cscli machines add csmail --auto -f %s", path)
	}
	if mends := hint.Of(err); mends != "" {
		return Credentials{}, hint.Wrap(err, "%s; or a new file: sudo cscli machines add csmail --auto --force -f %s", mends, path)
	}
	return Credentials{}, hint.Wrap(err, "a new file: sudo cscli machines add csmail --auto --force -f %s", path)
}

func loadCredentials(path string) (Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, err // names the file
	}
	c, err := parseCredentials(text)
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("%q: %w", path, err)
	}
	c.path = path
	return c, nil
}

// parseCredentials reads the file in the form of cscli machines add.
func parseCredentials(text []byte) (Credentials, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Credentials{}, hint.YAML(err)
	}
	if doc.Kind == 0 {
		return Credentials{}, errors.New("the file is empty")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return Credentials{}, fmt.Errorf("line %d: no list of keys and values", root.Line)
	}
	var c Credentials
	var papiURL string // cscli writes it; it is about CrowdSec's console
	fields := map[string]*string{
		"url": &c.URL, "login": &c.Login, "password": &c.Password,
		"cert_path": &c.CertPath, "key_path": &c.KeyPath, "ca_cert_path": &c.CACertPath, "papi_url": &papiURL,
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		field, known := fields[key.Value]
		if !known {
			return Credentials{}, fmt.Errorf("line %d: unknown or repeated key %q", key.Line, key.Value)
		}
		if value.Kind != yaml.ScalarNode {
			return Credentials{}, fmt.Errorf("line %d: %s is not a text", value.Line, key.Value)
		}
		if value.Tag != "!!null" {
			*field = value.Value
		}
		delete(fields, key.Value)
	}
	return c, nil
}

// check returns an error for credentials that cannot work.
func (c Credentials) check() error {
	if c.URL == "" {
		return errors.New("url is empty")
	}
	if c.CertPath != "" || c.KeyPath != "" {
		if c.CertPath == "" || c.KeyPath == "" {
			return errors.New("cert_path and key_path belong together")
		}
		return nil
	}
	if c.Login == "" {
		return errors.New("login is empty")
	}
	if c.Password == "" {
		return errors.New("password is empty")
	}
	return nil
}
