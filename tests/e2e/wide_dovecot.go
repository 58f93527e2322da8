//go:build e2e

package e2e

// What the wide server adds to Dovecot: more protocols and mechanisms, a client
// that may not send its password in plain text, users of PAM, and a domain whose
// password server is down.
//
// The databases come before the server's own, which must stay the last: it would
// log that another one follows.
const widePassdb = `
passdb {
  driver = imap
  args = host=127.0.0.1 port=9
  username_filter = *@broken.example
  result_internalfail = return-fail
}
passdb {
  driver = imap
  args = host=127.0.0.1 port=9
  username_filter = *@elsewhere.example
}
passdb {
  driver = pam
  args = max_requests=4 dovecot
  username_filter = *@pam.example
  result_failure = return-fail
}
`

const wideDovecot = wideProtocols + `
remote ` + plaintextV4 + ` {
  disable_plaintext_auth = yes
}
remote ` + plaintextV6 + ` {
  disable_plaintext_auth = yes
}
`

const widePassdb24 = `
passdb broken {
  driver = imap
  imapc_host = 127.0.0.1
  imapc_port = 9
  username_filter = *@broken.example
  result_internalfail = return-fail
}
passdb elsewhere {
  driver = imap
  imapc_host = 127.0.0.1
  imapc_port = 9
  username_filter = *@elsewhere.example
}
passdb pam {
  driver = pam
  service_name = dovecot
  username_filter = *@pam.example
  result_failure = return-fail
}
`

const wideDovecot24 = wideProtocols + `
service submission-login {
  inet_listener submissions {
    port = 0
  }
}
remote ` + plaintextV4 + ` {
  auth_allow_cleartext = no
}
remote ` + plaintextV6 + ` {
  auth_allow_cleartext = no
}
`

const wideProtocols = `
protocols = imap pop3 sieve submission
auth_mechanisms = plain login cram-md5 scram-sha-256
service submission-login {
  inet_listener submission {
    port = ` + portSubmission + `
  }
}
`

const (
	portSubmission = "1587" // Dovecot's own submission service
	portSieve      = "4190"
	portIMAPS      = "993"

	plaintextV4 = "198.51.100.132"
	plaintextV6 = "2001:db8:132::132"
)
