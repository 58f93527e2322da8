//go:build e2e

package install

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// startTLS begins TLS in an IMAP session: Debian's Dovecot takes no password
// without.
func startTLS(conn net.Conn, in *bufio.Reader) (net.Conn, *bufio.Reader, error) {
	if _, err := fmt.Fprint(conn, "t STARTTLS\r\n"); err != nil {
		return nil, nil, err
	}
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "t OK") {
		return nil, nil, fmt.Errorf("STARTTLS: %q, %w", line, err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // the certificate is Debian's snakeoil
	return secure, bufio.NewReader(secure), nil
}
