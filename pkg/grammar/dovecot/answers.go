package dovecot

import (
	"strings"

	"csmail/pkg/event"
)

// answers are the messages of a password database or a mechanism
// (src/auth/auth-request.c, passdb-*.c, mech-*.c; src/lib-sasl since 2.4.2), in this
// order. An answer is at least as severe as the login process's "auth failed", since
// that line folds into this one.
var answers = [...]struct {
	text string
	kind event.Kind
}{
	{"unknown user", event.AuthFailed},
	{"Unknown user", event.AuthFailed},
	{"User unknown", event.AuthFailed},
	{"user not authenticated: ", event.AuthFailed}, // mech-winbind.c
	{"invalid password field", event.AuthFailed},   // of an account without a login
	{"missing passwd file: ", event.AuthFailed},    // its name may hold the user's domain
	{"No password returned", event.AuthFailed},
	{"Cached NULL password access", event.AuthFailed},
	{"Password mismatch", event.AuthFailed},
	{"password mismatch", event.AuthFailed},
	{"invalid credentials", event.AuthFailed},
	{"pam_authenticate() failed: Authentication failure", event.AuthFailed},
	{"pam_authenticate() failed: User not known", event.AuthFailed},
	{"pam_authenticate() failed: Permission denied", event.AuthFailed},
	{"pam_authenticate() failed: Have exhausted maximum number of retries", event.AuthFailed},
	{"pam_authenticate() failed: ", event.AuthFault}, // the module's own trouble
	{"pam_acct_mgmt() failed: ", event.LoginRefused},
	{"pam_", event.AuthFault},
	{"Login failed (status=", event.AuthFailed}, // checkpassword
	{"Login attempt with empty password", event.AuthFailed},
	{"Attempted login with password having illegal chars", event.AuthFailed},
	{"Username character disallowed by auth_username_chars", event.AuthFailed},
	{"Empty username", event.AuthFailed},
	{"Wrong nonce", event.AuthFailed}, // mech-scram.c
	{"Authentication failure due to policy server refusal: " + event.OwnMarker, event.OwnRefusal},
	{"Authentication failure due to policy server refusal", event.LoginRefused},
	{"invalid input", event.LoginRefused},
	{"Invalid username", event.LoginRefused},
	{"Unsupported authentication mechanism", event.LoginRefused},
	{"oauth2 failed: ", event.LoginRefused},
	{"Username or token missing", event.LoginRefused},
	{"Missing ", event.LoginRefused}, // token, username or both
	{"Client requested ", event.LoginRefused},
	{"Invalid gs2-header ", event.LoginRefused},
	{"Invalid continued data", event.LoginRefused},
	{"Invalid response ", event.LoginRefused},
	{"Response payload is missing", event.LoginRefused},
	{"Username+password combination too long", event.LoginRefused},
	{"Failed to normalize path: ", event.LoginRefused},
	{"Username not known", event.LoginRefused},
	{"username not known", event.LoginRefused},
	{"invalid challenge", event.LoginRefused}, // mech-apop.c
	{"malformed data", event.LoginRefused},
	{"no initial response", event.LoginRefused},
	{"NULs in response", event.LoginRefused}, // sasl-server-mech-cram-md5.c
	{"invalid digest size", event.LoginRefused},
	{"invalid hex in digest", event.LoginRefused},
	{"missing digest", event.LoginRefused},
	{"While ", event.LoginRefused}, // mech-gssapi.c: "While processing incoming data: …"
	{"Cross-realm authentication not supported", event.LoginRefused},
	{"GSSAPI mechanism not Kerberos5", event.LoginRefused},
	{"OID not kerberos principal name", event.LoginRefused},
	{"User not authorized to log in as ", event.LoginRefused},
	{"krb5_parse_name() failed", event.LoginRefused},
	{"no authz_name", event.LoginRefused},
	{"authn_name has NULs", event.LoginRefused},
	{"authz_name has NULs", event.LoginRefused},
	{"authn_name: ", event.NoKind},
	{"authz_name: ", event.NoKind},
	{"Username '", event.LoginRefused}, // "… did not match" the one of the token
	{"Attempted master login", event.LoginRefused},
	{"Master user login attempted without", event.LoginRefused},
	{"User found from deny passdb", event.LoginRefused},
	{"SSL certificate didn't contain username", event.NoKind},
	{"Client didn't present valid SSL certificate", event.NoKind},
	{"User disabled", event.LoginRefused},
	{"user disabled", event.LoginRefused},
	{"Password expired", event.LoginRefused},
	{"Request timed out waiting for client", event.AuthAborted},
	{"Request timed out", event.AuthFault},
	{"ldap_bind() failed", event.AuthFault},
	{"Aborted", event.NoKind},
	{"Policy check action ", event.NoKind},
	{"login user: ", event.NoKind}, // mech-external.c
	{"db-lua: ", event.NoKind},     // output of the administrator's script
	{"allow_nets: ", event.NoKind}, // an invalid network in a setting
	{"allow_real_nets: ", event.NoKind},
	{"ntlm_auth reports broken helper", event.AuthFault},
	{"Policy server ", event.AuthFault},
	{"Empty password returned without nopassword", event.AuthFault},
	{"nopassword ", event.AuthFault},
	{"Password data is not valid for scheme", event.AuthFault},
	{"Unknown scheme ", event.AuthFault},
	{"All password databases were skipped", event.AuthFault},
	{"Falling back to expired data from cache", event.AuthFault},
	{"query: ", event.NoKind}, // 1.x, auth_debug
	{"cache ", event.NoKind},
	{"username changed ", event.NoKind},
	{"Master user ", event.NoKind},
}

func authKind(said string) (event.Kind, bool) {
	for _, a := range answers {
		if !strings.HasPrefix(said, a.text) {
			continue
		}
		if strings.HasSuffix(said, " - trying the next passdb") {
			return event.NoKind, true
		}
		return a.kind, true
	}
	switch {
	case strings.HasPrefix(said, "allow_nets check failed"), strings.HasPrefix(said, "allow_real_nets check failed"), strings.HasPrefix(said, "local_name check failed: "):
		return event.LoginRefused, true
	case isOtherScheme(said):
		return event.AuthFailed, true
	case said == "login", said == "anonymous login": // open to everyone (RFC 4505)
		return event.NoKind, true
	}
	if strings.HasPrefix(said, "Request ") && strings.Contains(said, " timed out after ") { // auth-request-handler.c
		return event.AuthFault, true
	}
	return event.NoKind, false
}

// isOtherScheme reads "Requested CRAM-MD5 scheme, but we have only SHA512-CRYPT" and "…, but
// we have a NULL password" (auth-request.c, passdb_get_credentials): the mechanism needs the
// password in a form that the database does not have. Some mail programs try such a
// mechanism first. Both names are the server's.
func isOtherScheme(said string) bool {
	rest, ok := strings.CutPrefix(said, "Requested ")
	return ok && (strings.Contains(rest, " scheme, but we have only ") || strings.HasSuffix(rest, " scheme, but we have a NULL password"))
}
