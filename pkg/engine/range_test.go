package engine

import (
	"testing"
	"testing/fstest"

	"csmail/pkg/guard"
	"csmail/pkg/scenario"
)

// An alert on a range is on the range that the scenario names, be it wider or
// narrower than the usual /24: who is outside of it has done nothing.
func TestRangeOfTheScenario(t *testing.T) {
	for bits, want := range map[string]string{"16": "192.0.0.0/16", "24": "192.0.2.0/24", "28": "192.0.2.64/28", "32": "192.0.2.77/32"} {
		set, err := scenario.Load(fstest.MapFS{"range.yaml": {Data: []byte(`
type: trigger
name: csmail/range
description: x
filter: evt.Meta.kind == 'relay-denied'
groupby: IpToRange(evt.Meta.source_ip, '/` + bits + `')
scope:
  type: Range
  expression: IpToRange(evt.Meta.source_ip, '/` + bits + `')
labels:
  remediation: true
`)}}, ".")
		if err != nil {
			t.Fatal(err)
		}
		e := New(Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
		r := parse("Jun  3 04:11:09 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.77]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<x>")
		if found := e.Step(&r).Findings; len(found) != 1 || found[0].Alert.Value() != want {
			t.Errorf("/%s: found %v, want %s", bits, words(found), want)
		}
	}
}
