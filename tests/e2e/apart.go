//go:build e2e

package e2e

import "strings"

// csmail and the mail server are in containers of their own, as in mailcow: the mail server
// asks by a name, over a network, and with a key.

const apartConfig = `bouncer: {api_key: %s, update_frequency: 1s}
enforce:
  accounts: true
  contact: postmaster@%s
  policy: {listen: ["0.0.0.0:10040"]}
  auth_policy: {listen: ["0.0.0.0:10043"], key: between-containers}
`

// hosts is /etc/hosts, with csmail's name if it is another host.
func hosts(csmail string) string {
	text := "127.0.0.1 localhost dovecot\n::1 localhost\n"
	if csmail != "" {
		text += csmail + " csmail\n"
	}
	return text
}

// apartMainCf has Postfix ask the container, and Dovecot over TCP, as mailcow's Postfix does
// (smtpd_sasl_path = inet:dovecot:10001).
func apartMainCf(mainCf string) string {
	return strings.NewReplacer("inet:127.0.0.1:10040", "inet:csmail:10040", "smtpd_sasl_path = private/auth", "smtpd_sasl_path = inet:dovecot:10001").Replace(mainCf)
}

// apartMasterCf leaves mailcow's and docker-mailserver's submission as it is, whose client
// restrictions would refuse everybody with smtpd_delay_reject=no.
func apartMasterCf() string {
	return strings.Replace(masterCf, "  -o smtpd_tls_auth_only=yes\n", "  -o smtpd_tls_auth_only=yes\n  -o smtpd_client_restrictions=permit_mynetworks,permit_sasl_authenticated,reject\n", 1)
}

// apartDovecot has Dovecot ask the container, with the key.
func apartDovecot(template string, is24 bool) string {
	template = strings.ReplaceAll(template, "http://127.0.0.1:10043/", "http://csmail:10043/")
	listener := "service auth {\n  inet_listener {\n    port = 10001\n    address = 127.0.0.1\n  }\n}\n"
	if is24 {
		listener = "service auth {\n  inet_listener sasl {\n    port = 10001\n    listen = 127.0.0.1\n  }\n}\n"
	}
	return template + "\nauth_policy_server_api_header = X-Csmail-Key: between-containers\n" + listener
}
