// Package probe asks at csmail's doors as mail servers do, and comes to a mail server as a
// client does, to see what a client would. It speaks as much of SMTP (RFC 5321), Postfix's
// policy protocol, Dovecot's auth policy (JSON over HTTP), Postfix's socketmap and DNS as
// that takes. It sends no mail and no password of anybody, and changes nothing.
package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// timeout bounds a question at a door.
const timeout = 5 * time.Second

// Policy asks at a door for Postfix about a client, and returns the action.
func Policy(ctx context.Context, place string, addr netip.Addr) (string, error) {
	c, err := dial(ctx, place)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=%s\npolicy_context=mx\n\n", addr); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(strings.TrimPrefix(line, "action=")), err
}

// Socketmap asks at a door for postscreen, and returns the answer.
func Socketmap(ctx context.Context, place string, addr netip.Addr) (string, error) {
	return askSocketmap(ctx, place, "psc "+addr.String())
}

// Answers returns an error if a door for postscreen does not answer. The question holds no
// address, so that the door does not count it as one of a client.
func Answers(ctx context.Context, place string) error {
	_, err := askSocketmap(ctx, place, "psc ")
	return err
}

func askSocketmap(ctx context.Context, place, question string) (string, error) {
	c, err := dial(ctx, place)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%d:%s,", len(question), question); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	var n int
	if _, err := fmt.Fscanf(r, "%d:", &n); err != nil {
		return "", err
	}
	text := make([]byte, min(max(n, 0), 1024))
	_, err = io.ReadFull(r, text)
	return strings.TrimSpace(string(text)), err
}

// dial opens a connection to HOST:PORT, or unix:/PATH or /PATH, that lasts for one
// question.
func dial(ctx context.Context, place string) (net.Conn, error) {
	network, path := "tcp", place
	if rest, isUnix := strings.CutPrefix(place, "unix:"); isUnix || strings.HasPrefix(place, "/") {
		network, path = "unix", rest
	}
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, path)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// AuthPolicy asks at a door for Dovecot about a login, and returns the answer. The key is
// enforce.auth_policy.key, "" if there is none.
func AuthPolicy(ctx context.Context, place, key string, addr netip.Addr) (string, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, place) }}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(map[string]string{"login": TestAccount, "remote": addr.String(), "protocol": "test"})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://csmail/?command=allow", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Csmail-Key", key)
	resp, err := (&http.Client{Transport: transport, Timeout: timeout}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode == http.StatusForbidden {
		return "", fmt.Errorf("it wants another key (enforce.auth_policy.key)")
	}
	return strings.TrimSpace(string(text)), err
}

// TestAccount is the account that a probe logs in as. No mail server should have it.
const TestAccount = "csmail-test"

// ListName is the name of an address in a block list: 7.2.0.192.ZONE. for
// 192.0.2.7 (RFC 5782 section 2.1).
func ListName(zone string, addr netip.Addr) string {
	var b strings.Builder
	raw := addr.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if addr.Is4() {
			fmt.Fprintf(&b, "%d.", raw[i])
			continue
		}
		fmt.Fprintf(&b, "%x.%x.", raw[i]&15, raw[i]>>4)
	}
	return b.String() + strings.Trim(zone, ".") + "."
}

// BlockList asks at a door that is a block list, and returns the address that it answers;
// "" if the client is not listed.
func BlockList(ctx context.Context, place, zone string, addr netip.Addr) (string, error) {
	name, err := dnsmessage.NewName(ListName(zone, addr))
	if err != nil {
		return "", err
	}
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packet, err := question.Pack()
	if err != nil {
		return "", err
	}
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "udp", place)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := c.Write(packet); err != nil {
		return "", err
	}
	reply := make([]byte, 1500)
	n, err := c.Read(reply)
	if err != nil {
		return "", err
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(reply[:n]); err != nil {
		return "", err
	}
	for _, r := range answer.Answers {
		if a, ok := r.Body.(*dnsmessage.AResource); ok {
			return netip.AddrFrom4(a.A).String(), nil
		}
	}
	return "", nil
}
