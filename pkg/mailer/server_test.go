package mailer

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a mail server that does one thing in its own way.
type fake struct {
	certificate *tls.Certificate  // nil: no TLS
	tlsFirst    bool              // TLS from the first byte
	needsTLS    bool              // refuses all before STARTTLS
	login       string            // NAME:PASSWORD that it demands
	replies     map[string]string // by command; "." is the end of DATA
	closesAt    string            // command at which it closes the connection without a word; "in DATA" for the first line of it
	silentAt    string            // command from which on it says nothing; "greeting" for from the first

	addr string
	mu   sync.Mutex
	got  []string // whole mails that it took
}

// start lets the server run until the end of the test.
func (f *fake) start(t *testing.T) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = listener.Addr().String()
	var all sync.WaitGroup
	ended := make(chan struct{})
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				go func() { <-ended; conn.Close() }()
				f.converse(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		close(ended)
		all.Wait()
	})
	return f
}

// taken are the mails that were taken.
func (f *fake) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// talk is one connection to a fake.
type talk struct {
	*fake
	conn     net.Conn
	lines    *bufio.Reader
	isTLS    bool
	loggedIn bool
}

func (f *fake) converse(conn net.Conn) {
	c := &talk{fake: f, conn: conn, lines: bufio.NewReader(conn)}
	if f.tlsFirst {
		c.encrypt()
	}
	if f.silentAt == "greeting" {
		_, _ = io.Copy(io.Discard, c.lines)
		return
	}
	c.say("220 fake ESMTP")
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		word := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		if word == f.closesAt {
			return
		}
		if word == f.silentAt {
			_, _ = io.Copy(io.Discard, c.lines)
			return
		}
		if !c.answer(word, line) {
			return
		}
	}
}

func (c *talk) say(line string) { fmt.Fprintf(c.conn, "%s\r\n", line) }

func (c *talk) encrypt() {
	conn := tls.Server(c.conn, &tls.Config{Certificates: []tls.Certificate{*c.certificate}})
	c.conn, c.lines, c.isTLS = conn, bufio.NewReader(conn), true
}

// answer answers a command, and reports whether the connection stays.
func (c *talk) answer(word, line string) bool {
	reply, isSet := c.replies[word]
	switch {
	case isSet:
		c.say(reply)
	case word == "EHLO":
		c.hello()
	case word == "QUIT":
		c.say("221 bye")
		return false
	case word == "STARTTLS":
		c.say("220 go on")
		c.encrypt()
	case c.needsTLS && !c.isTLS && word != "NOOP": // RFC 3207 section 4
		c.say("530 5.7.0 Must issue a STARTTLS command first")
	case word == "AUTH":
		c.auth(line)
	case c.login != "" && !c.loggedIn && word == "MAIL":
		c.say("530 5.7.0 Authentication required")
	case word == "DATA":
		c.say("354 go on")
		return c.data()
	default:
		c.say("250 ok")
	}
	return true
}

func (c *talk) hello() {
	c.say("250-fake")
	if c.certificate != nil && !c.isTLS {
		c.say("250-STARTTLS")
	}
	if c.login != "" && (c.isTLS || c.certificate == nil) {
		c.say("250-AUTH PLAIN")
	}
	c.say("250 ENHANCEDSTATUSCODES")
}

func (c *talk) auth(line string) {
	words, _ := base64.StdEncoding.DecodeString(line[strings.LastIndexByte(line, ' ')+1:])
	if string(words) == "\x00"+strings.ReplaceAll(c.login, ":", "\x00") {
		c.loggedIn = true
		c.say("235 2.7.0 Authentication successful")
		return
	}
	c.say("535 5.7.8 Error: authentication failed: (reason unavailable)")
}

// data takes a mail, and keeps it if it is whole.
func (c *talk) data() bool {
	var text strings.Builder
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil || c.closesAt == "in DATA" {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	if c.closesAt == "." {
		return false
	}
	if reply, isSet := c.replies["."]; isSet {
		c.say(reply)
		return true
	}
	c.mu.Lock()
	c.got = append(c.got, text.String())
	c.mu.Unlock()
	c.say("250 2.0.0 taken")
	return true
}

// certificateOf makes a certificate of a name, which nobody trusts.
func certificateOf(t *testing.T, name string, until time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, BasicConstraintsValid: true, IsCA: true}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// trusting returns the certificates that a host trusts.
func trusting(certificates ...*tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c.Leaf)
	}
	return pool
}
