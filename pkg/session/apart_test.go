package session

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// port is r from a port of the client.
func port(number string, r event.Record) event.Record {
	r.Session = number
	return r
}

// onHost is r as another host logs it.
func onHost(name string, r event.Record) event.Record {
	r.Host = name
	return r
}

// of is r with another address.
func of(addr netip.Addr, r event.Record) event.Record {
	r.Addr = addr
	return r
}

// reasoned is r with a reason.
func reasoned(reason string, r event.Record) event.Record {
	return withReason(r, reason)
}

func module(service event.Service) event.Record {
	r := auth("", "a", event.AuthFailed)
	r.Mechanism = event.PAM
	if service == event.SSHD {
		r.Service, r.Program, r.PID = event.SSHD, "sshd-session", 7
	}
	return r
}

// TestApart: what is about something else stays what it is. Each line is a success,
// another offence, or another's, and must neither fold nor be folded into.
func TestApart(t *testing.T) {
	const failed, aborted, refused, ok = event.AuthFailed, event.AuthAborted, event.LoginRefused, event.LoginOK
	var nobody netip.Addr
	smtpd := func(kind event.Kind, n int) event.Record { return record(9, one, kind, event.NoTestimony, n) }
	end := func(kind event.Kind, n int) event.Record { return record(9, one, kind, event.Disconnected, n) }
	withoutPID := func(r event.Record) event.Record { r.PID = 0; return r }
	screened := func(addr netip.Addr, kind event.Kind) event.Record {
		r := record(1, addr, kind, event.NoTestimony, 1)
		r.Service, r.Program = event.Postscreen, "postfix/postscreen"
		return r
	}
	midway := login("s", "Authenticate X failed: Unsupported authentication mechanism.", refused, 1)
	nameless := midway
	nameless.Session = ""
	apop := login("s", "APOP failed: APOP not enabled", refused, 1)
	connection := func(kind event.Kind, code string) event.Record {
		r := screened(one, kind)
		r.Session, r.Code = "4711", code
		return r
	}
	three := ssh(3, failed, "authentication failure")
	three.Mechanism, three.Attempts = event.PAM, 3
	sshFailed := ssh(3, failed, "failed password")
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		n      int
	}{
		"Dovecot: a login after a failure":                {[]event.Record{auth("s", "a", failed)}, login("s", "Login", ok, 1), 1},
		"Dovecot: a login after two failures":             {[]event.Record{auth("s", "a", failed), auth("s", "b", failed)}, login("s", "Login", ok, 1), 1},
		"Dovecot: a failure behind a login":               {[]event.Record{login("s", "Login", ok, 1)}, auth("s", "a", failed), 1},
		"Dovecot: no client":                              {[]event.Record{of(nobody, auth("s", "a", failed))}, of(nobody, auth("s", "a", failed)), 1},
		"Dovecot: no client and no session":               {[]event.Record{of(nobody, auth("", "a", failed))}, of(nobody, auth("", "a", failed)), 1},
		"Dovecot: another client's session, midway":       {[]event.Record{of(two, auth("s", "a", failed))}, midway, 1},
		"Dovecot: lines without a session":                {[]event.Record{nameless}, login("", "Disconnected", failed, 1), 1},
		"Dovecot: ends without a session":                 {[]event.Record{login("", "Disconnected", failed, 1)}, login("", "Disconnected", failed, 1), 1},
		"Dovecot: an end that counts no attempt":          {[]event.Record{login("s", "Disconnected", event.NoAuth, 1)}, auth("s", "a", failed), 1},
		"Dovecot: the fault itself":                       {nil, auth("", "a", event.AuthFault), 1},
		"Dovecot: the fault itself, with a session":       {nil, auth("s", "a", event.AuthFault), 1},
		"Dovecot: the fault of another user":              {[]event.Record{auth("", "b", failed)}, auth("", "a", event.AuthFault), 1},
		"PAM: another offence":                            {[]event.Record{module(event.Dovecot)}, login("s", "Disconnected", event.NoAuth, 1), 1},
		"PAM: under Dovecot, then sshd":                   {[]event.Record{module(event.Dovecot)}, sshFailed, 1},
		"PAM: under sshd, then Dovecot":                   {[]event.Record{module(event.SSHD)}, auth("s", "a", failed), 1},
		"PAM: under sshd, then Postfix":                   {[]event.Record{module(event.SSHD)}, smtpd(failed, 1), 1},
		"PAM: at the limit, gone":                         {[]event.Record{module(event.Dovecot)}, after(pamDelay+1, auth("s", "a", failed)), 1},
		"PAM: no client":                                  {[]event.Record{of(nobody, module(event.Dovecot))}, of(nobody, auth("s", "a", failed)), 1},
		"Postfix: what Dovecot told, given up":            {[]event.Record{auth("", "a", failed)}, smtpd(aborted, 1), 1},
		"Postfix: no client":                              {[]event.Record{of(nobody, auth("", "a", failed))}, of(nobody, saslOf("a")), 1},
		"Postfix: repeated, told once":                    {[]event.Record{auth("", "a", failed)}, smtpd(failed, 2), 1},
		"Postfix: repeated, told twice":                   {[]event.Record{auth("", "a", failed), auth("", "b", failed)}, smtpd(failed, 3), 1},
		"Postfix: at the limit, gone":                     {[]event.Record{auth("", "a", failed)}, after(saslDelay+1, saslOf("a")), 1},
		"Postfix: a login at the end, a failure before":   {[]event.Record{smtpd(failed, 1)}, end(ok, 1), 1},
		"Postfix: one more at the end":                    {[]event.Record{smtpd(failed, 1)}, end(failed, 2), 1},
		"Postfix: an offence, a login at the end":         {[]event.Record{smtpd(event.NonSMTP, 1)}, end(failed, 1), 1},
		"Postfix: a wrong name, a login at the end":       {[]event.Record{smtpd(event.HostnameMismatch, 1)}, end(failed, 1), 1},
		"Postfix: went away in another command":           {[]event.Record{reasoned("lost connection after UNKNOWN", smtpd(event.LostConnection, 1))}, end(failed, 1), 1},
		"Postfix: without a process, no end":              {nil, withoutPID(smtpd(failed, 1)), 1},
		"Postfix: without a process, a login at the end":  {nil, withoutPID(end(ok, 1)), 1},
		"postscreen: no client":                           {[]event.Record{screened(nobody, event.Pregreet)}, screened(nobody, event.Pregreet), 1},
		"postscreen: hung up twice":                       {[]event.Record{screened(one, event.Hangup)}, screened(one, event.Hangup), 1},
		"postscreen: the port again, long after":          {[]event.Record{connection(event.Pregreet, "")}, after(staysScreened+1, connection(event.Pregreet, "")), 1},
		"postscreen: too early again at the port":         {[]event.Record{connection(event.Pregreet, "")}, after(endAgain+1, connection(event.Pregreet, "")), 1},
		"postscreen: the port again after a hang-up":      {[]event.Record{connection(event.Hangup, "")}, after(endAgain+1, connection(event.DNSBLListed, "")), 1},
		"postscreen: another connection":                  {[]event.Record{connection(event.Pregreet, "")}, port("4712", connection(event.Pregreet, "")), 1},
		"postscreen: another client's connection":         {[]event.Record{connection(event.Pregreet, "")}, of(two, connection(event.Pregreet, "")), 1},
		"postscreen: another host's connection":           {[]event.Record{connection(event.Pregreet, "")}, onHost("mx2", connection(event.Pregreet, "")), 1},
		"postscreen: listed, then something hostile":      {[]event.Record{connection(event.DNSBLListed, "")}, connection(event.NonSMTP, ""), 1},
		"postscreen: denied, then something hostile":      {[]event.Record{connection(event.Denylisted, "")}, connection(event.Pregreet, ""), 1},
		"postscreen: denied, another connection hangs up": {[]event.Record{connection(event.Denylisted, "")}, port("4712", connection(event.Hangup, "")), 1},
		"postscreen: no connection":                       {[]event.Record{connection(event.DNSBLListed, "550 5.7.1")}, screened(one, event.DNSBLListed), 1},
		"Dovecot: APOP twice":                             {[]event.Record{apop}, apop, 1},
		"Postfix: two databases, two attempts":            {[]event.Record{auth("", "a", failed), auth("", "a", failed), saslOf("a")}, saslOf("a"), 1},
		"Postfix: two seconds before":                     {[]event.Record{saslOf("a")}, after(2*time.Second, auth("", "a", failed)), 1},
		"Postfix: long after":                             {[]event.Record{after(5*time.Second, saslOf("a"))}, after(0, auth("", "a", failed)), 1},
		"sshd: two told, three in all":                    {[]event.Record{sshFailed, sshFailed}, three, 1},
		"sshd: two attempts that PAM told of":             {[]event.Record{ssh(1, failed, "PAM")}, ssh(1, failed, "PAM"), 1},
		"sshd: at the limit, gone":                        {[]event.Record{sshFailed}, after(oneLogin+1, ssh(3, failed, "invalid user")), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expectStatus(t, tt.before, tt.last, New, tt.last.Kind, tt.n) })
	}
}

// TestTogether: what is about one attempt folds, to the last moment that it may take.
func TestTogether(t *testing.T) {
	const failed, broken = event.AuthFailed, event.AuthFault
	end := record(9, one, failed, event.Disconnected, 1)
	gaveUp := record(9, one, event.AuthAborted, event.NoTestimony, 1)
	own := record(9, one, event.OwnRefusal, event.NoTestimony, 1)
	early := func(r event.Record) event.Record {
		r.Service, r.Program = event.Postscreen, "postfix/postscreen"
		return r
	}
	pregreet := port("4711", early(record(1, one, event.Pregreet, event.NoTestimony, 1)))
	listed := port("4711", early(record(1, one, event.DNSBLListed, event.NoTestimony, 1)))
	pipelined := port("4711", early(record(1, one, event.Pipelining, event.NoTestimony, 1)))
	denied := port("4711", early(record(1, one, event.Denylisted, event.NoTestimony, 1)))
	hangup := port("4711", early(record(1, one, event.Hangup, event.NoTestimony, 1)))
	refusedUser := auth("s", "a", event.LoginRefused)
	withoutPID := end
	withoutPID.PID = 0
	alone := saslOf("a")
	alone.PID = 0
	type row struct {
		before []event.Record
		last   event.Record
		kind   event.Kind
		n      int
	}
	tests := map[string]row{
		"gave up, then the end":                    {[]event.Record{gaveUp}, end, failed, 0},
		"our refusal, then the end":                {[]event.Record{own}, end, failed, 0},
		"an end without a process":                 {nil, withoutPID, failed, 1},
		"a fault, and a refusal of the same login": {[]event.Record{auth("s", "a", broken)}, refusedUser, event.LoginRefused, 1},
		"two users' logins, by Postfix":            {[]event.Record{auth("", "a", failed), after(2*time.Second, auth("", "b", failed)), after(3*time.Second, saslOf(""))}, after(3*time.Second, saslOf("")), failed, 0},
		"another's fault, by Postfix":              {[]event.Record{auth("", "a", failed), auth("", "b", broken)}, saslOf("b"), broken, 1},
		"the second database did not answer":       {[]event.Record{auth("s", "a", failed), auth("s", "a", broken)}, auth("s", "a", failed), broken, 1},
		"the first of three did not answer":        {[]event.Record{auth("s", "a", broken), auth("s", "a", failed)}, auth("s", "a", failed), broken, 1},
		"an end that refused, then why":            {[]event.Record{login("s", "Disconnected", event.LoginRefused, 1)}, refusedUser, event.LoginRefused, 0},
		"told by Dovecot, Postfix has no process":  {[]event.Record{auth("", "a", failed)}, alone, failed, 0},
		"Postfix a moment before, stamped after":   {[]event.Record{after(1100*time.Millisecond, saslOf("a"))}, after(900*time.Millisecond, auth("", "a", failed)), failed, 1},
		"Dovecot, at the limit":                    {[]event.Record{auth("", "a", failed)}, after(saslDelay, saslOf("a")), failed, 0},
		"two of Dovecot, at the limit":             {[]event.Record{auth("", "a", failed), after(saslDelay, auth("", "b", failed)), after(saslDelay, saslOf(""))}, after(saslDelay, saslOf("")), failed, 0},
		"PAM, at the limit":                        {[]event.Record{module(event.Dovecot)}, after(pamDelay, auth("s", "a", failed)), failed, 0},
		"PAM, an end at the limit":                 {[]event.Record{module(event.Dovecot)}, after(loginStays, login("s", "Disconnected", failed, 1)), failed, 0},
		"two of PAM, at the limit":                 {[]event.Record{module(event.Dovecot), after(loginStays, module(event.Dovecot))}, after(loginStays, login("s", "Disconnected", failed, 2)), failed, 0},
		"the same database again, at the limit":    {[]event.Record{auth("s", "a", failed)}, after(sameAttempt, auth("s", "a", failed)), failed, 1},
		"postscreen, at the limit":                 {[]event.Record{pregreet}, after(staysScreened, pipelined), event.Pipelining, 1},
		"postscreen: listed, then hung up":         {[]event.Record{listed}, hangup, event.Hangup, 1},
		"postscreen: too early, listed, hung up":   {[]event.Record{pregreet, listed}, hangup, event.Hangup, 1},
		"postscreen: too early, then listed":       {[]event.Record{pregreet}, listed, event.DNSBLListed, 1},
		"postscreen: hung up twice":                {[]event.Record{hangup}, hangup, event.Hangup, 1},
		"postscreen: denied, then refused for it":  {[]event.Record{denied}, denied, event.Denylisted, 1},
		"postscreen: denied, then hung up":         {[]event.Record{denied}, hangup, event.Hangup, 1},
		"postscreen: denied, hostile, hung up":     {[]event.Record{denied, pregreet}, hangup, event.Hangup, 1},
		"postscreen: too early, then denied":       {[]event.Record{pregreet}, denied, event.Denylisted, 1},
		"sshd, at the limit":                       {[]event.Record{ssh(3, failed, "failed password")}, after(oneLogin, ssh(3, failed, "invalid user")), failed, 1},
		"sshd, something suspect twice":            {[]event.Record{ssh(3, event.AuthAborted, "x")}, ssh(3, event.AuthAborted, "x"), event.AuthAborted, 1},
	}
	for _, reason := range []string{"Disconnected", "Aborted login", "Login aborted: Connection closed", "Client has quit the connection", "Remote closed connection"} {
		tests["a fault, then "+reason] = row{[]event.Record{auth("s", "a", broken)}, login("s", reason+" (auth process communication failure)", broken, 1), broken, 0}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expectStatus(t, tt.before, tt.last, Folded, tt.kind, tt.n) })
	}
}

// The client of a message is looked up for a filter's refusal of it alone: trouble
// of ours with a message accuses nobody.
func TestClientOfMessage(t *testing.T) {
	taken := record(1, one, event.NoKind, event.MailAccepted, 0)
	taken.Session = "4Zk1Yq2Lz3z9v"
	told := func(kind event.Kind, addr netip.Addr, session string) event.Record {
		r := record(2, addr, kind, event.NoTestimony, 1)
		r.Program, r.Session = "postfix/cleanup", session
		return r
	}
	elsewhere := told(event.ContentRejected, netip.Addr{}, taken.Session)
	elsewhere.Host = "mx2"
	tests := map[string]struct {
		last event.Record
		want netip.Addr
	}{
		"a filter's refusal":         {told(event.ContentRejected, netip.Addr{}, taken.Session), one},
		"one that names its client":  {told(event.ContentRejected, two, taken.Session), two},
		"of another message":         {told(event.ContentRejected, netip.Addr{}, "4Zk1Yq2Lz3z9w"), netip.Addr{}},
		"of no message":              {told(event.ContentRejected, netip.Addr{}, strings.Repeat("4", 30)), netip.Addr{}},
		"on another host":            {elsewhere, netip.Addr{}},
		"no room for the queue file": {told(event.ServerFault, netip.Addr{}, taken.Session), netip.Addr{}},
	}
	for name, tt := range tests {
		j := NewJoiner(event.HashKey{})
		first, last := taken, tt.last
		j.Join(&first)
		if j.Join(&last); last.Addr != tt.want {
			t.Errorf("%s: got %s, want %s", name, last.Addr, tt.want)
		}
	}
}
