package wiring

import "strings"

// dovecotFile is where docs/enforcement.md puts csmail's settings.
const dovecotFile = "/etc/dovecot/conf.d/90-csmail.conf"

// attributes23 is the recommended setting for Dovecot 2.3: its default, the address of
// the server and the mechanism.
const attributes23 = "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} local=%{lip} device_id=%{client_id} protocol=%s session_id=%{session} mech=%{mech}"

// mend24 has Dovecot 2.4 send the mechanism beside its default attributes; a block takes lines of its own.
const mend24 = `printf 'auth_policy {\n request_attributes {\n mech = %%{mechanism}\n }\n}\n' >> ` + dovecotFile + " && doveadm reload"

// oneConnection24 has Dovecot 2.4 send its questions over one connection. Each connection
// that is lost before its first answer doubles the time for which 2.4.1 leaves the server
// alone, from 100 ms and without an end: src/lib-http/http-client-peer.c begins with
// backoff_max_time_msecs = UINT_MAX, which no setting lowers. Ten logins that wait for a
// csmail that is killed make it a minute, twenty 15 hours.
const oneConnection24 = `printf 'auth_policy {\n http_client_max_parallel_connections = 1\n}\n' >> ` + dovecotFile + " && doveadm reload"

// readDovecot judges the settings of Dovecot's auth policy client (src/auth/auth-policy.c; the defaults are those of 2.3.19).
func (r *Report) readDovecot(text string, doors Doors) {
	values := parse(text)
	_, place, _ := strings.Cut(values["auth_policy_server_url"], "://")
	place, _, _ = strings.Cut(place, "/")
	asks := samePort(place, doors.AuthPolicy)
	r.Services = append(r.Services, Service{Name: "dovecot", Asks: asks})
	if !asks {
		return
	}
	if values["auth_policy_reject_on_fail"] == "yes" {
		r.add("dovecot", set("auth_policy_reject_on_fail = no"), "while csmail is dead nobody can log in (auth_policy_reject_on_fail)")
	}
	if strings.HasPrefix(text, "# 2.3.") && values["auth_policy_report_after_auth"] != "no" {
		r.add("dovecot", set("auth_policy_report_after_auth = no"), "while csmail hangs Dovecot 2.3 may let nobody log in (auth_policy_report_after_auth)")
	}
	if _, named := values["auth_policy_request_attributes_mech"]; !named && strings.HasPrefix(text, "# 2.4.") {
		r.add("dovecot", mend24, "an old password that a phone repeats counts as guesses (auth_policy_request_attributes does not name mech)")
	}
	if strings.HasPrefix(text, "# 2.4.") && values["auth_policy_http_client_max_parallel_connections"] != "1" {
		r.add("dovecot", oneConnection24, "after a csmail that hung was killed, Dovecot 2.4 may let everybody log in for hours (http_client_max_parallel_connections is not 1)")
	}
	if strings.HasPrefix(text, "# 2.3.") && !strings.Contains(values["auth_policy_request_attributes"], "mech=%") {
		r.add("dovecot", set("auth_policy_request_attributes = "+attributes23), "an old password that a phone repeats counts as guesses (auth_policy_request_attributes does not name mech)")
	}
}

func set(line string) string {
	return "echo " + quote(line) + " >> " + dovecotFile + " && doveadm reload"
}
