package engine

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// connections are lines of which the client is taken from the record, and some that look
// like them.
var connections = []string{
	"connect from a.example[192.0.2.7]", "connect from unknown[2001:db8::7]", "connect from unknown[unknown]", "connect from a.example[192.0.2.7]:4711", "connect from a.example[192.0.2.7] x",
	"connect from [192.0.2.7]:4711", "connect from ", "connect from a.example", "connect from a b[192.0.2.7]", "connect from " + strings.Repeat("a.", 120) + "example[192.0.2.7]",
	"disconnect from a.example[192.0.2.7]", "disconnect from a.example[192.0.2.7] ehlo=1 auth=1 quit=1 commands=3", "disconnect from a.example[2001:db8::7] ehlo=1 auth=0/2 quit=1 commands=2/4",
	"disconnect from a.example[192.0.2.7] ehlo=1 auth=1/2 auth=7 commands=2/4", "disconnect from unknown[unknown] ehlo=1 mail=1 rcpt=0/1 commands=2/3", "disconnect from [192.0.2.7]:4711 auth=1",
	"disconnect from a.example[192.0.2.7]:4711 ehlo=1 auth=1", "disconnect from a.example[192.0.2.7] auth=x", "disconnect from ",
}

// A line that was kept for later is read as one that is read at once.
func TestFlowLineReadsWhatParseFlowDoes(t *testing.T) {
	var lines []string
	for _, daemon := range []string{"smtpd", "submission/smtpd", "postscreen", "cleanup", "qmqpd", "master"} {
		for _, message := range connections {
			lines = append(lines, "Jun  1 12:00:00 mx1 postfix/"+daemon+"[7]: "+message, "Jun  1 12:00:00 mx1 postfix/"+daemon+"[7]: message repeated 3 times: [ "+message+"]",
				"Jun  1 12:00:00 mx1 postfix@-.service[7]: "+message)
		}
	}
	samples, err := filepath.Glob("../../tests/samples/*.log")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no sample logs: %v", err)
	}
	for _, name := range samples {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			lines = append(lines, strings.TrimSuffix(string(line), "\n"))
		}
	}
	var later, now Parser
	var kept FlowLine
	short := 0
	for _, text := range lines {
		line := logline.Line{Text: text, Zone: time.UTC, Received: time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)}
		var record, same event.Record
		var got, want event.Flow
		now.Parse(&line, &same)
		wanted := now.ParseFlow(&line, &same, &want)
		later.Parse(&line, &record)
		read := later.MayFlow()
		if read {
			later.FlowLine(&line, &record, &kept)
			record = event.Record{} // which the session join may change
			read = kept.Read(&got)
		}
		if read != wanted {
			t.Errorf("%s\nis read: %v, want %v", text, read, wanted)
			continue
		}
		if kept.client.Read(kept.program, kept.message, new(event.Flow)) {
			short++
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); read && diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", text, diff)
		}
		if read && kept.Logged != same.Logged() {
			t.Errorf("%s\nis of %+v, want %+v", text, kept.Logged, same.Logged())
		}
	}
	if short < 100 {
		t.Errorf("the client of only %d lines is taken from the record", short)
	}
}
