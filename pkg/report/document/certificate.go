package document

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"csmail/pkg/report/daily"
)

// certificateTrouble is one kind of complaint about this host's certificate.
type certificateTrouble struct {
	severity Severity
	least    int      // so many lines make a finding
	signs    []string // in lower case
	ofServer bool     // said to smtpd: smtp says the same of another server's certificate
	title    string
	detail   string
}

// certificateTroubles are looked for in this order. The texts are those of Postfix
// (src/tls/tls_certkey.c, 3.7) and of OpenSSL's alerts. A client can send an alert as it
// likes, so a few of them are none, and those that a scanner sends are a warning only.
var certificateTroubles = []certificateTrouble{
	{
		severity: Urgent, least: 1,
		signs: []string{"cannot get rsa private key", "cannot get ecdsa private key", "cannot get private key", "cannot get rsa certificate", "cannot get ecdsa certificate", "cannot load certification"},
		title: "A certificate or its key cannot be loaded", detail: "There is no TLS without it, so nobody can log in where that is required.",
	},
	{
		severity: Urgent, least: 3, ofServer: true,
		signs: []string{"certificate expired", "certificate has expired"},
		title: "Clients say that the server's certificate has expired", detail: "Renew it, and reload Postfix and Dovecot.",
	},
	{
		severity: Warn, least: 3, ofServer: true,
		signs: []string{"unknown ca", "bad certificate"},
		title: "Clients do not accept the server's certificate", detail: "See that the file holds the intermediate certificates, and the name that clients use. Scanners do not accept any.",
	},
}

// handshakeSigns are those of the signs that clients send to Dovecot too.
var handshakeSigns = []string{"certificate expired", "unknown ca", "bad certificate"}

// certificates returns the complaints about this host's certificates: Postfix's warnings,
// and the handshakes that three clients of Dovecot or more broke off.
func (d *Document) certificates(handshakes *fault) []Finding {
	counts, examples := make([]int, len(certificateTroubles)), make([]string, len(certificateTroubles))
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
					counts[at] += t.By[daemon].By[text]
					examples[at] = text
				}
			}
		}
	}
	since, until := d.spans[daily.CertificateTrouble].Times(d.zone)
	if handshakes != nil && len(handshakes.clients) >= manyTimeouts {
		for sign, n := range handshakes.reasons {
			at := slices.IndexFunc(certificateTroubles, func(c certificateTrouble) bool { return slices.Contains(c.signs, sign) })
			if at < 0 {
				continue // of another release
			}
			if counts[at] += n; examples[at] == "" {
				examples[at] = "dovecot: " + sign
			}
		}
		widen(&since, &until, handshakes.first)
		widen(&since, &until, handshakes.last)
	}
	var found []Finding
	for i, c := range certificateTroubles {
		if counts[i] >= c.least {
			found = append(found, Finding{
				ID: "certificate", Severity: c.severity, Count: counts[i], Since: since, Until: until, Title: fmt.Sprintf("%s: %s", c.title, times(counts[i])),
				Detail: c.detail + " The log says: " + examples[i], Advice: "openssl x509 -noout -dates -ext subjectAltName -in $(postconf -h smtpd_tls_cert_file)",
			})
		}
	}
	return found
}
