package tests

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

var update = flag.Bool("update", false, "write the generated documents")

const eventsHead = `# Events

What csmail makes of a log line. This page is generated from the tables in
pkg/event (go test ./tests -update).

` + "`csmail events -o json`" + ` prints one object for each event, in the order of the log:

| field | meaning |
|---|---|
| source, line | the log and the line in it, from 1 |
| time | when it happened, RFC 3339 |
| host, program, pid | who logged it |
| service | postfix, postscreen, dovecot or sshd |
| kind, class | as below |
| ip | the client; absent if none can be trusted |
| user, client_name, helo, sender, recipient, mechanism | what the client said of itself; any text, trust none of it |
| code, reason | the answer of the server |
| session | queue ID, Dovecot's session, or the client's port at postscreen |
| attempts | how many attempts this line adds; 0 if earlier lines reported all of them |
| folded | true: an earlier line reported this attempt, so it counts for no scenario; also on a line that the log holds twice |
| repeated | true: the same refusal once more in one SMTP session; it counts for no scenario |
| withheld | true: an offence in an SMTP session that may still log in; it counts when the session ends without a login, or after a minute. Or the end of a login to Dovecot before the line that says why it failed; it counts if none comes within 3 s. Or a wrong password at sshd that may be a copy of the line before; it counts if the end of the connection is in the log once |
| logged_in | true: the session has logged in, so it is no offence |

` + "`-o crowdsec`" + ` prints what scenarios count instead, for a CrowdSec agent with the parser csmail/csmail-events.

| class | meaning | may lead to a ban |
|---|---|---|
| hostile | an offence by itself, though most need a count | yes |
| suspect | honest clients do it too | not by itself |
| fault | trouble on our own side | never |
| success | the client proved that it belongs here | never; it speaks for the client |
| own | a refusal by a list of this host, csmail's or the administrator's, that comes back through the log | never |

`

func TestEventsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(eventsHead)
	for _, k := range event.Kinds() {
		fmt.Fprintf(&b, "## %s\n\n%s, %s: %s.\n\n```\n%s\n```\n\n", k, k.Class(), serviceOf(k), k.Meaning(), k.Example())
	}
	checkDocument(t, "../docs/events.md", strings.TrimSuffix(b.String(), "\n"))
}

func serviceOf(k event.Kind) event.Service {
	var r event.Record
	engine.Parse(logline.Line{Text: "Jun  3 04:11:09 mx1 " + k.Example(), Zone: time.UTC}, &r)
	return r.Service
}
