package check

import (
	"testing"
	"testing/fstest"

	"csmail/pkg/scenario"
)

const bf = `type: leaky
name: me/bf
description: x
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: 2
leakspeed: 10s
---
type: counter
name: me/count
description: x
filter: evt.Meta.kind == 'auth-failed'
capacity: -1
duration: 1h
`

const (
	one   = "Feb 29 04:11:01 mx1 postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n"
	two   = "Feb 29 04:11:02 mx1 postfix/smtpd[43]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n"
	again = "Feb 29 04:11:03 mx1 last message repeated 2 times\n"
	fault = "Feb 29 04:11:02 mx1 postfix/smtpd[44]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: Temporary authentication failure\n"
	own   = "Feb 29 04:11:02 mx1 dovecot: imap-login: Login: user=<c>, method=PLAIN, rip=192.0.2.1, lip=10.1.2.4, session=<s>\n"
)

func TestLogs(t *testing.T) {
	set, err := scenario.Load(fstest.MapFS{"bf.yaml": {Data: []byte(bf)}}, "bf.yaml")
	if err != nil {
		t.Fatal(err)
	}
	logs := fstest.MapFS{}
	for name, text := range map[string]string{
		"bf/over-repeated.log": one + again, "bf/over-wrong.log": one + two,
		"bf/under.log": one + fault + fault + own + own + two, "bf/under-wrong.log": one + two + again, "bf/under.txt": one, "bf/README.log": one,
		"count/over.log": one, "count/under.log": fault,
	} {
		logs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, want := range map[string][]Run{
		"me/bf": {
			{Log: "bf/over-repeated.log", Wants: true, Overflows: 1, Events: 3, Lines: 2},
			{Log: "bf/over-wrong.log", Wants: true, Events: 2, Lines: 2},
			{Log: "bf/under-wrong.log", Overflows: 1, Events: 4, Lines: 3},
			{Log: "bf/under.log", Events: 2, Lines: 6},
		},
		"me/count": {{Log: "count/over.log", Wants: true, Overflows: 1, Events: 1, Lines: 1}, {Log: "count/under.log", Lines: 1}},
		"me/none":  nil,
	} {
		got, err := Logs(set, name, logs)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: got %+v, %v, want %d of them", name, got, err, len(want))
			continue
		}
		for i, w := range want {
			w.Scenario = name
			if got[i] != w {
				t.Errorf("%s: %+v, want %+v", name, got[i], w)
			}
			if wrong := got[i].Log == "bf/over-wrong.log" || got[i].Log == "bf/under-wrong.log"; got[i].Passed() == wrong {
				t.Errorf("%s: passed %t, want Passed other than %t", got[i].Log, got[i].Passed(), wrong)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	over, under := Run{Wants: true}, Run{}
	for want, runs := range map[string][]Run{"no test log": nil, "no under*.log": {over}, "no over*.log": {under}, "": {over, under}} {
		if got := Missing(runs); got != want {
			t.Errorf("%v: %q, want %q", runs, got, want)
		}
	}
}
