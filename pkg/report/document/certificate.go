package document

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"csmail/pkg/report/daily"
)

// certificateTrouble is one kind of complaint about this host's certificate.
type certificateTrouble struct {
	severity Severity
	ofSMTPD  Severity // if only Postfix says so, whose line does not name the client
	least    int      // so many lines make a finding
	signs    []string // in lower case
	ofServer bool     // said to smtpd: smtp says the same of another server's certificate
	title    string
	detail   string
}

// certificateTroubles are looked for in this order. The texts are those of Postfix
// (src/tls/tls_certkey.c, 3.7) and of OpenSSL's alerts. A client can send an alert as it
// likes, so a few of them are no finding, and those whose client is not known only warn.
var certificateTroubles = []certificateTrouble{
	{
		severity: Urgent, ofSMTPD: Urgent, least: 1,
		signs: []string{"cannot get rsa private key", "cannot get ecdsa private key", "cannot get private key", "cannot get rsa certificate", "cannot get ecdsa certificate", "cannot load certification"},
		title: "A certificate or its key cannot be loaded", detail: "There is no TLS without it, so nobody can log in where that is required.",
	},
	{
		severity: Urgent, ofSMTPD: Warn, least: 3, ofServer: true,
		signs: []string{"certificate expired", "certificate has expired"},
		title: "Clients say that the server's certificate has expired", detail: "Renew it, and reload Postfix and Dovecot.",
	},
	{
		severity: Warn, ofSMTPD: Warn, least: 3, ofServer: true,
		signs: []string{"unknown ca", "bad certificate"},
		title: "Clients do not accept the server's certificate", detail: "See that the file holds the intermediate certificates, and the name that clients use. Scanners do not accept any.",
	},
}

// handshakeSigns are those of the signs that clients send to Dovecot too.
var handshakeSigns = []string{"certificate expired", "unknown ca", "bad certificate"}

// manyClients is how many clients of Dovecot must break off for the same reason. One client
// can do it as often as it likes.
const manyClients = 3

// fromClient stands between a sign and its client in a reason of the fault.
const fromClient = " from "

// handshakeReason returns the reason under which a broken handshake is counted: the sign
// with the client, such as "unknown ca from 192.0.2.1/32", for the first clients, and the
// sign alone for the others, so that a crowd of clients does not fill the table.
func handshakeReason(f *fault, sign string, client netip.Addr) string {
	bits := client.Unmap().BitLen()
	if bits > 64 {
		bits = 64 // IPv6: one host has a whole /64
	}
	network, err := client.Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return sign
	}
	reason := sign + fromClient + network.String()
	if f == nil || f.reasons[reason] > 0 || f.clientsOf(sign) < manyClients {
		return reason
	}
	return sign
}

// clientsOf returns how many clients are known by name to have sent a sign.
func (f *fault) clientsOf(sign string) int {
	n := 0
	for reason := range f.reasons {
		if strings.HasPrefix(reason, sign+fromClient) {
			n++
		}
	}
	return n
}

// times returns how often clients sent a sign.
func (f *fault) times(sign string) int {
	n := f.reasons[sign]
	for reason, count := range f.reasons {
		if strings.HasPrefix(reason, sign+fromClient) {
			n += count
		}
	}
	return n
}

// complaint is how often one of the certificateTroubles was complained of, and where.
type complaint struct {
	postfix, dovecot int
	example          string
}

// certificates returns the complaints about this host's certificates: Postfix's warnings,
// and the handshakes that manyClients of Dovecot or more broke off.
func (d *Document) certificates(handshakes *fault) []Finding {
	all := d.certificateWarnings()
	since, until := d.spans[daily.CertificateTrouble].Times(d.zone)
	if handshakes != nil && addHandshakes(all, handshakes) {
		widen(&since, &until, handshakes.first)
		widen(&since, &until, handshakes.last)
	}
	var found []Finding
	for i, c := range certificateTroubles {
		if n := all[i].postfix + all[i].dovecot; n >= c.least {
			f := Finding{ID: "certificate", Severity: c.severity, Count: n, Since: since, Until: until, Title: c.title + ": " + times(n), Detail: c.detail, Advice: c.advice(all[i])}
			if all[i].dovecot == 0 {
				f.Severity = c.ofSMTPD
			}
			if f.Severity != c.severity {
				f.Detail += " Postfix does not name the clients here, so it may be a single scanner."
			}
			f.Detail += " The log says: " + all[i].example
			found = append(found, f)
		}
	}
	return found
}

// certificateWarnings counts Postfix's lines about each of the certificateTroubles.
func (d *Document) certificateWarnings() []complaint {
	all := make([]complaint, len(certificateTroubles))
	for _, t := range []Trouble{d.Warnings, d.Errors, d.Fatals} {
		for _, daemon := range slices.Sorted(maps.Keys(t.By)) {
			isClient := daemon == "smtp" || daemon == "lmtp"
			for _, text := range slices.Sorted(maps.Keys(t.By[daemon].By)) {
				if !daily.IsOfCertificate(text) {
					continue
				}
				lower := strings.ToLower(text)
				at := slices.IndexFunc(certificateTroubles, func(c certificateTrouble) bool { return containsAny(lower, c.signs) && !(c.ofServer && isClient) })
				if at >= 0 {
					all[at].postfix += t.By[daemon].By[text]
					all[at].example = text
				}
			}
		}
	}
	return all
}

// addHandshakes adds the handshakes that clients of Dovecot broke off, and reports whether
// there were enough clients for one of the signs.
func addHandshakes(all []complaint, handshakes *fault) (added bool) {
	for _, sign := range handshakeSigns {
		if handshakes.clientsOf(sign) < manyClients {
			continue
		}
		at := slices.IndexFunc(certificateTroubles, func(c certificateTrouble) bool { return slices.Contains(c.signs, sign) })
		all[at].dovecot += handshakes.times(sign)
		if all[at].example == "" {
			all[at].example = "dovecot: " + sign
		}
		added = true
	}
	return added
}

// advice returns the command that shows the certificate of the daemon that is complained
// of, as its clients get it. A certificate that cannot be loaded is not shown to clients,
// so the command shows which files are configured.
func (c *certificateTrouble) advice(said complaint) string {
	if !c.ofServer {
		return "postconf -n | grep _tls_"
	}
	var commands []string
	if said.dovecot > 0 {
		commands = append(commands, "openssl s_client -connect localhost:993 </dev/null 2>/dev/null | openssl x509 -noout -dates")
	}
	if said.postfix > 0 {
		commands = append(commands, "openssl s_client -starttls smtp -connect localhost:25 </dev/null 2>/dev/null | openssl x509 -noout -dates")
	}
	return strings.Join(commands, "; ")
}
