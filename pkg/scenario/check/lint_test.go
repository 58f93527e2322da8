package check

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const good = `type: leaky
name: me/slow
description: "A test"
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: 5
leakspeed: 1h
labels:
  service: mail
  behavior: "pop3/imap:bruteforce"
  label: "Slow"
  confidence: 3
  spoofable: 0
  classification: [attack.T1110, attack.T1110.003, cve.CVE-2021-44228, cwe.CWE-307]
  remediation: true
`

const bare = "type: trigger\nname: me/slow\ndescription: x\nfilter: evt.Meta.kind == 'pregreet'\n"

func TestFile(t *testing.T) {
	for name, tc := range map[string]struct {
		full, text string
		want       []string
	}{
		"good":          {"me/slow.yaml", good, nil},
		"two":           {"me/slow.yaml", good + "---\n" + replaced(good, "name: me/slow", "name: me/slow_users"), nil},
		"a second name": {"me/slow.yaml", good + "---\n" + replaced(good, "name: me/slow", "name: you/other"), []string{`me/slow.yaml:18: name: "you/other" lies in the folder "me"; the hub wants "you"`}},
		"other file":    {"me/fast.yml", good, []string{`me/fast.yml:2: name: "me/slow" does not go with the file "fast.yml"; the hub wants "me/fast"`}},
		"folder":        {"/x/you/slow.yaml", good, []string{`/x/you/slow.yaml:2: name: "me/slow" lies in the folder "you"; the hub wants "me"`}},
		"no author":     {"slow.yaml", replaced(good, "me/slow", "slow"), []string{`slow.yaml:2: name: "slow" is not AUTHOR/FILE, as "AUTHOR/slow" would be`}},
		"no labels":     {"slow.yaml", bare, []string{"slow.yaml:1: labels: each document needs them: service, behavior, label, confidence, spoofable, classification, remediation"}},
		"empty labels": {"slow.yaml", bare + "labels: {x: y}\n", []string{
			"slow.yaml:5: labels.service: a text is needed",
			"slow.yaml:5: labels.label: a text is needed",
			"slow.yaml:5: labels.behavior: one of the hub's taxonomy is needed, for mail pop3/imap:bruteforce or smtp:spam",
			"slow.yaml:5: labels.confidence: a number from 0 to 3 is needed",
			"slow.yaml:5: labels.spoofable: a number from 0 to 3 is needed",
			"slow.yaml:5: labels.classification: a list is needed, like [attack.T1110]",
			"slow.yaml:5: labels.remediation: true or false is needed",
		}},
		"smtp:bruteforce": {"me/slow.yaml", replaced(good, `"pop3/imap:bruteforce"`, "smtp:bruteforce"), []string{
			`me/slow.yaml:10: labels.behavior: "smtp:bruteforce" is not in the hub's taxonomy; it has database:bruteforce, ftp:bruteforce, generic:bruteforce, http:bruteforce, iot:bruteforce, pop3/imap:bruteforce, sip:bruteforce, smb:bruteforce, smtp:spam, ssh:bruteforce, telnet:bruteforce, windows:bruteforce`,
		}},
		"confidence 4":     {"me/slow.yaml", replaced(good, "confidence: 3", "confidence: 4"), []string{`me/slow.yaml:12: labels.confidence: "4" is no number from 0 to 3`}},
		"spoofable text":   {"me/slow.yaml", replaced(good, "spoofable: 0", `spoofable: "0"`), []string{`me/slow.yaml:13: labels.spoofable: "0" is no number from 0 to 3`}},
		"T1110.3":          {"me/slow.yaml", replaced(good, "attack.T1110.003", "attack.T1110.3"), []string{`me/slow.yaml:14: labels.classification: "attack.T1110.3" is none of attack.T1110, attack.T1110.003, cve.CVE-2021-44228, cwe.CWE-307`}},
		"remediation yes!": {"me/slow.yaml", replaced(good, "remediation: true", `remediation: "true"`), []string{`me/slow.yaml:15: labels.remediation: true or false is needed`}},
		"unknown key":      {"me/slow.yaml", replaced(good, "leakspeed", "leekspeed"), []string{`me/slow.yaml:7: unknown key "leekspeed"; did you mean "leakspeed"?`}},
		"unset field":      {"me/slow.yaml", replaced(good, "groupby: evt.Meta.source_ip", "groupby: evt.Meta.source_op"), []string{`me/slow.yaml:1: me/slow: csmail never sets evt.Meta.source_op; did you mean "source_ip"?`}},
		"no YAML":          {"me/slow.yaml", "a: [", []string{`me/slow.yaml:1: no valid YAML: a value is missing behind [, { or a comma`}},
		"empty":            {"me/slow.yaml", "", []string{"me/slow.yaml: the file holds no scenario"}},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := File(fstest.MapFS{"f.yaml": {Data: []byte(tc.text)}}, "f.yaml", tc.full)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// replaced puts next for the first old, which must be there.
func replaced(text, old, next string) string {
	if !strings.Contains(text, old) {
		panic(old)
	}
	return strings.Replace(text, old, next, 1)
}
