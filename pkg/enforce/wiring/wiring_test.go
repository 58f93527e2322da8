package wiring

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var doors = Doors{Policy: []string{"127.0.0.1:10040", "unix:/run/csmail/policy.sock", "unix:/var/spool/postfix/csmail/policy.sock"}, AuthPolicy: []string{"127.0.0.1:10043"}}

func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRecorded reads what Postfix 3.7.11 and Dovecot 2.3.19.1 printed.
func TestRecorded(t *testing.T) {
	got := Read(Settings{
		Main: recorded(t, "postfix-3.7.main"), Services: recorded(t, "postfix-3.7.master"), Overrides: recorded(t, "postfix-3.7.overrides"),
		Dovecot: recorded(t, "dovecot-2.3"),
	}, doors)
	want := Report{
		Services: []Service{{Name: "smtp/inet", Asks: true}, {Name: "submission/inet", Asks: true}, {Name: "smtps/inet"}, {Name: "dovecot", Asks: true}},
		Findings: []Finding{
			{
				"submission/inet", `while csmail is dead everybody is answered "451 4.3.5 Server configuration problem" (smtpd_client_restrictions)`,
				`postconf -P 'submission/inet/smtpd_policy_service_default_action=DUNNO' && postfix reload`,
			},
			{
				"submission/inet", "the service runs in a chroot and cannot see /run/csmail/policy.sock: nobody is refused",
				"install -d -o csmail -g postfix -m 0710 '/var/spool/postfix/csmail', then unix:csmail/policy.sock in smtpd_client_restrictions and enforce.policy.listen: [unix:/var/spool/postfix/csmail/policy.sock]",
			},
			{
				"dovecot", "while csmail hangs Dovecot 2.3 may let nobody log in (auth_policy_report_after_auth)",
				"echo 'auth_policy_report_after_auth = no' >> /etc/dovecot/conf.d/90-csmail.conf && doveadm reload",
			},
			{
				"dovecot", "an old password that a phone repeats counts as guesses (auth_policy_request_attributes does not name mech)",
				"echo 'auth_policy_request_attributes = login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} local=%{lip} device_id=%{client_id} protocol=%s session_id=%{session} mech=%{mech}' >> /etc/dovecot/conf.d/90-csmail.conf && doveadm reload",
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPostfix(t *testing.T) {
	const service = "smtp inet n - n - - smtpd\n"
	for name, c := range map[string]struct {
		main     string
		asks     bool
		problems int
	}{
		"no restriction":         {"", false, 0},
		"another service":        {"smtpd_recipient_restrictions = check_policy_service unix:private/policyd-spf", false, 0},
		"bare, no default":       {"smtpd_client_restrictions = check_policy_service inet:127.0.0.1:10040", true, 1},
		"bare, default DUNNO":    {"smtpd_client_restrictions = check_policy_service inet:127.0.0.1:10040\nsmtpd_policy_service_default_action = DUNNO", true, 0},
		"inline beats main.cf":   {"smtpd_client_restrictions = check_policy_service {inet:csmail:10040,default_action=defer}\nsmtpd_policy_service_default_action = DUNNO", true, 1},
		"by a name of main.cf":   {"mua = check_policy_service { unix:csmail/policy.sock, { default_action = dunno } }\nsmtpd_sender_restrictions = ${mua}, permit", true, 0},
		"names itself":           {"smtpd_client_restrictions = $smtpd_client_restrictions", false, 0},
		"no value, open brace":   {"smtpd_client_restrictions = check_policy_service {", false, 0},
		"nothing after the word": {"smtpd_client_restrictions = check_policy_service", false, 0},
	} {
		got := Read(Settings{Main: c.main, Services: service}, doors)
		if got.Services[0].Asks != c.asks || len(got.Findings) != c.problems {
			t.Errorf("%s: got %+v, want asks %v and %d findings", name, got, c.asks, c.problems)
		}
	}
}

func TestDovecot(t *testing.T) {
	const url = "auth_policy_server_url = http://127.0.0.1:10043/\n"
	const attributes = "auth_policy_request_attributes = login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} mech=%{mech}\n"
	const mech24 = "auth_policy {\n  http_client_max_parallel_connections = 1\n  request_attributes {\n    mech = %{mechanism}\n  }\n}\n"
	for name, c := range map[string]struct {
		text string
		asks bool
		want string
	}{
		"no url":               {"# 2.3.19.1 (9b53102964)\n", false, ""},
		"cPHulk":               {"# 2.3.21 (0)\nauth_policy_server_url = http://127.0.0.1:579/dovecot-auth-policy\n", false, ""},
		"2.3, no reports":      {"# 2.3.19.1 (9b53102964)\n" + url + "auth_policy_report_after_auth = no\n" + attributes, true, ""},
		"2.3, its own request": {"# 2.3.19.1 (9b53102964)\n" + url + "auth_policy_report_after_auth = no\n", true, "session_id=%{session} mech=%{mech}"},
		"2.4 with reports":     {"# 2.4.1 (0)\n" + url + mech24, true, ""},
		"2.4, in blocks":       {recorded(t, "dovecot-2.4-mech"), true, ""},
		"2.4, many at once":    {"# 2.4.1 (0)\n" + url + "auth_policy {\n  http_client_max_parallel_connections = 10\n  request_attributes {\n    mech = %{mechanism}\n  }\n}\n", true, "http_client_max_parallel_connections = 1"},
		"2.4 as shipped":       {"# 2.4.1 (0)\n" + url + "auth_policy {\n  request_attributes {\n    mech = %{mechanism}\n  }\n}\n", true, "http_client_max_parallel_connections = 1"},
		"2.4 without mech":     {"# 2.4.1 (0)\nauth_policy {\n  server_url = http://127.0.0.1:10043/\n}\n", true, "mech = %%{mechanism}"},
		"closed on failure":    {"# 2.4.1 (0)\n" + url + mech24 + "auth_policy_reject_on_fail = yes\n", true, "auth_policy_reject_on_fail = no"},
		"closed, in a block":   {"# 2.4.1 (0)\n" + mech24 + "auth_policy {\n  server_url = http://127.0.0.1:10043/\n  reject_on_fail = yes\n}\n", true, "auth_policy_reject_on_fail = no"},
		"a block of this name": {"# 2.4.1 (0)\nplugin {\n" + url + "}\n", false, ""},
	} {
		got := Read(Settings{Dovecot: c.text}, doors)
		mend := ""
		for _, f := range got.Findings {
			mend += f.Mend
		}
		if got.Services[0].Asks != c.asks || !strings.Contains(mend, c.want) || (c.want == "") != (mend == "") {
			t.Errorf("%s: got %+v, want asks %v and the mend %q", name, got, c.asks, c.want)
		}
	}
}

func TestMendOfMainCf(t *testing.T) {
	got := Read(Settings{Main: "smtpd_client_restrictions = permit_mynetworks, check_policy_service { inet:127.0.0.1:10040, timeout=2s }", Services: "smtp inet n - n - - smtpd\n"}, doors)
	const want = `postconf -e 'smtpd_client_restrictions=permit_mynetworks, check_policy_service { inet:127.0.0.1:10040, timeout=2s, default_action=DUNNO }' && postfix reload`
	if len(got.Findings) != 1 || got.Findings[0].Mend != want {
		t.Errorf("got %+v, want the mend %s", got.Findings, want)
	}
}

func TestPostscreen(t *testing.T) {
	const services = "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n"
	listening := Doors{Socketmap: []string{"127.0.0.1:10041"}}
	for name, c := range map[string]struct {
		main  string
		table string
		mend  string
	}{
		"does not ask":    {"postscreen_access_list = permit_mynetworks\n", "", ""},
		"another map":     {"postscreen_access_list = permit_mynetworks, socketmap:inet:127.0.0.1:8642:QUERY\n", "", ""},
		"asks":            {"postscreen_access_list = permit_mynetworks, socketmap:inet:127.0.0.1:10041:psc\npostscreen_denylist_action = drop\n", "socketmap:inet:127.0.0.1:10041:psc", ""},
		"before 3.6":      {"postscreen_access_list = socketmap:inet:csmail:10041:psc\npostscreen_blacklist_action = drop\n", "socketmap:inet:csmail:10041:psc", ""},
		"asks in vain":    {"postscreen_access_list = socketmap:inet:127.0.0.1:10041:psc\n", "socketmap:inet:127.0.0.1:10041:psc", "postscreen_denylist_action=drop"},
		"ignores it":      {"postscreen_access_list = socketmap:inet:127.0.0.1:10041:psc\npostscreen_denylist_action = ignore\n", "socketmap:inet:127.0.0.1:10041:psc", "postscreen_denylist_action=drop"},
		"nothing of ours": {"", "", ""},
	} {
		got := Read(Settings{Main: c.main, Services: services}, listening)
		var screen Service
		for _, s := range got.Services {
			if s.Name == "postscreen smtp/inet" {
				screen = s
			}
		}
		mend := ""
		for _, f := range got.Findings {
			mend += f.Mend
		}
		if screen.Table != c.table || screen.Asks != (c.table != "") || !strings.Contains(mend, c.mend) || (c.mend == "") != (mend == "") {
			t.Errorf("%s: got %+v, mend %q, want the table %q, mend %q", name, screen, mend, c.table, c.mend)
		}
	}
	closed := Read(Settings{Main: "postscreen_access_list = permit_mynetworks\n", Services: services}, Doors{Policy: []string{"127.0.0.1:10040"}})
	for _, s := range closed.Services {
		if s.Name == "postscreen smtp/inet" {
			t.Errorf("the door is closed: got %+v, want nothing said of postscreen", s)
		}
	}
}
