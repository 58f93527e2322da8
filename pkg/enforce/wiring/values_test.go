package wiring

import (
	"strings"
	"testing"
)

// Each finding that Read makes on a recorded host, and whether it shuts clients out.
func TestCloses(t *testing.T) {
	got := Read(Settings{
		Main:     "smtpd_client_restrictions = check_policy_service inet:127.0.0.1:10040",
		Services: "smtp inet n - n - - smtpd\nsubmission inet n - y - - smtpd\n", Overrides: "submission/inet/smtpd_client_restrictions = check_policy_service { unix:/run/csmail/policy.sock, default_action=DUNNO }",
		Dovecot: "# 2.3.19.1\nauth_policy_server_url = http://127.0.0.1:10043/\nauth_policy_reject_on_fail = yes\n",
	}, doors)
	want := map[string]bool{"smtp/inet": true, "submission/inet": false}
	closing := 0
	for _, f := range got.Findings {
		if shuts, known := want[f.Service]; known && f.Closes() != shuts {
			t.Errorf("%s: got %v for %q, want %v", f.Service, f.Closes(), f.Problem, shuts)
		}
		if f.Service == "dovecot" && f.Closes() {
			closing++
		}
	}
	if len(got.Findings) < 4 || closing != 2 {
		t.Errorf("got %+v, want one of each Postfix service and two of Dovecot that shut clients out", got.Findings)
	}
}

// doveconf 2.4 prints the policy server inside of a block, as Debian 13's does.
func TestDovecot24(t *testing.T) {
	text := recorded(t, "dovecot-2.4-mech")
	got := Read(Settings{Dovecot: text}, doors)
	if len(got.Services) != 1 || !got.Services[0].Asks || len(got.Findings) > 0 {
		t.Errorf("got %+v, want a Dovecot that asks, and no finding", got)
	}
	closed := Read(Settings{Dovecot: strings.Replace(text, "  report_after", "  reject_on_fail = yes\n  report_after", 1)}, doors)
	if len(closed.Findings) != 1 || !closed.Findings[0].Closes() {
		t.Errorf("with reject_on_fail: got %+v, want one finding that shuts clients out", closed.Findings)
	}
	if got := Values(text); got["imap"] != "" || got["userdb static_fields_uid"] != "65534" || got["ssl"] != "no" || got["auth_policy_http_client_request_absolute_timeout"] != "500ms" {
		t.Errorf("got the values %v, want those at the top and of auth_policy", got)
	}
}
