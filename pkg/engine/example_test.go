package engine_test

import (
	"fmt"
	"testing/fstest"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/scenario"
)

// Parse turns a line into a Record. It needs no state, so lines can be parsed on
// any core.
func ExampleParse() {
	var r event.Record
	engine.Parse(logline.Line{
		Text:     "2026-06-03T04:11:09.123456+00:00 mx1 postfix/postscreen[99]: PREGREET 14 after 0.1 from [192.0.2.7]:4711: EHLO ylmf-pc\\r\\n",
		Received: time.Date(2026, 6, 3, 4, 11, 10, 0, time.UTC), Zone: time.UTC,
	}, &r)
	fmt.Println(r.Outcome, r.Kind, r.Kind.Class(), r.Addr)
	// Output: event pregreet hostile 192.0.2.7
}

// Step takes the Records of a log in order and returns what each came to.
func ExampleEngine_Step() {
	set, err := scenario.Load(fstest.MapFS{"pregreet.yaml": {Data: []byte(`type: trigger
name: me/pregreet
description: a client that speaks first
filter: evt.Meta.kind == 'pregreet'
groupby: evt.Meta.source_ip
labels: {remediation: true}
`)}}, "pregreet.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	e := engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
	reader := engine.Reader{Line: logline.Line{Received: time.Date(2026, 6, 3, 5, 0, 0, 0, time.UTC), Zone: time.UTC}}
	var r event.Record
	for _, text := range []string{
		"Jun  3 04:11:08 mx1 postfix/postscreen[99]: CONNECT from [192.0.2.7]:4711 to [198.51.100.1]:25",
		"Jun  3 04:11:09 mx1 postfix/postscreen[99]: PREGREET 14 after 0.1 from [192.0.2.7]:4711: EHLO ylmf-pc\\r\\n",
	} {
		reader.Next(text, &r)
		for _, finding := range e.Step(&r).Findings {
			fmt.Println(finding.Alert.Scenario, finding.Alert.Value(), finding.Verdict.Action)
		}
	}
	// Output: me/pregreet 192.0.2.7 ban
}
