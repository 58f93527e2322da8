package wiring

import "testing"

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
