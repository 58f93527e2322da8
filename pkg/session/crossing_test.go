package session

import (
	"testing"
	"time"

	"csmail/pkg/event"
)

// after is r, so long after the first record of a log.
func after(d time.Duration, r event.Record) event.Record {
	r.Time = time.Unix(1780459869, 0).Add(d)
	return r
}

func auth(session, user string, kind event.Kind) event.Record {
	r := dovecot("dovecot/auth", session, user, 1)
	if r.Kind = kind; kind == event.AuthFault {
		r.Reason = "Error: sql: connect failed"
	}
	return r
}

// login is a line of Dovecot's login process.
func login(session, reason string, kind event.Kind, n int) event.Record {
	r := dovecot("dovecot/imap-login", session, "", n)
	r.Kind = kind
	return withReason(r, reason)
}

func saslOf(user string) event.Record {
	r := record(9, one, event.AuthFailed, event.NoTestimony, 1)
	r.User = user
	return r
}

// TestFault: a login that we could not check is no offence, whoever tells of it.
func TestFault(t *testing.T) {
	const failed, broken = event.AuthFailed, event.AuthFault
	warned := withReason(auth("", "a", broken), "Warning: sql: connect failed: x")
	left := login("s", "Disconnected", failed, 2)
	unchecked := saslOf("")
	unchecked.Kind = broken
	mishap := login("s", "Internal login failure (pid=1 id=2)", broken, 1)
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		want   Status
		kind   event.Kind
		n      int
	}{
		"the next database, with a session":      {[]event.Record{auth("s", "a", broken)}, auth("s", "a", failed), Folded, broken, 1},
		"the next database, of Postfix":          {[]event.Record{auth("", "a", broken)}, auth("", "a", failed), Folded, broken, 1},
		"the fault once more":                    {[]event.Record{auth("s", "a", broken)}, auth("s", "a", broken), Folded, broken, 1},
		"another user":                           {[]event.Record{auth("s", "b", broken)}, auth("s", "a", failed), New, failed, 1},
		"another session":                        {[]event.Record{auth("x", "a", broken)}, auth("s", "a", failed), New, failed, 1},
		"much later":                             {[]event.Record{auth("s", "a", broken)}, after(3*time.Second, auth("s", "a", failed)), New, failed, 1},
		"Postfix":                                {[]event.Record{auth("", "a", broken)}, after(9*time.Second, saslOf("a")), Folded, broken, 1},
		"Postfix, name in capitals":              {[]event.Record{auth("", "a", broken)}, saslOf("A"), Folded, broken, 1},
		"Postfix, two connections of one user":   {[]event.Record{auth("", "a", broken), saslOf("a")}, saslOf("a"), Folded, broken, 1},
		"Postfix, without a name":                {[]event.Record{auth("", "a", broken)}, saslOf(""), Folded, broken, 1},
		"Postfix, without a name again":          {[]event.Record{auth("", "a", broken), saslOf("")}, saslOf(""), New, failed, 1},
		"Postfix, another user":                  {[]event.Record{auth("", "a", broken)}, saslOf("b"), New, failed, 1},
		"Postfix, much later":                    {[]event.Record{auth("", "a", broken)}, after(30*time.Second, saslOf("a")), New, failed, 1},
		"Postfix, another user whose tale came":  {[]event.Record{auth("", "a", broken), auth("", "b", failed)}, saslOf("b"), Folded, failed, 0},
		"Postfix, realm added by Dovecot":        {[]event.Record{auth("", "a@example.org", broken)}, saslOf("a"), Folded, broken, 1},
		"Postfix, realm dropped by Dovecot":      {[]event.Record{auth("", "a", broken)}, saslOf("A@example.org"), Folded, broken, 1},
		"Postfix, another realm":                 {[]event.Record{auth("", "a@example.net", broken)}, saslOf("a@example.org"), New, failed, 1},
		"Postfix, a fault told, then no realm":   {[]event.Record{auth("", "a@b", broken), saslOf("a@b")}, saslOf("a"), New, failed, 1},
		"Postfix told of the fault itself":       {[]event.Record{auth("", "a", broken), unchecked}, saslOf(""), New, failed, 1},
		"only warned":                            {[]event.Record{warned}, auth("", "a", failed), New, failed, 1},
		"a wrong password, then a fault":         {[]event.Record{auth("", "a", failed), auth("", "a", broken)}, saslOf("a"), Folded, failed, 0},
		"the end counts it":                      {[]event.Record{auth("s", "a", broken)}, login("s", "Disconnected", broken, 1), Folded, broken, 0},
		"a wrong password, a mishap, the end":    {[]event.Record{auth("s", "a", failed), mishap}, left, Withheld, failed, 1},
		"an end by a mishap":                     {[]event.Record{auth("s", "a", broken)}, login("s", "Internal login failure (pid=1 id=2) (internal failure, 1 successful auths)", broken, 1), Folded, broken, 0},
		"a mishap":                               {[]event.Record{auth("s", "a", failed)}, mishap, New, broken, 1},
		"the end counts a wrong password beside": {[]event.Record{auth("s", "a", broken)}, left, Withheld, failed, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expectStatus(t, tt.before, tt.last, tt.want, tt.kind, tt.n) })
	}
}

// TestCrossing: two processes tell of one attempt, and the second one's line comes
// first.
func TestCrossing(t *testing.T) {
	const failed, refused, aborted = event.AuthFailed, event.LoginRefused, event.AuthAborted
	end := login("s", "Disconnected", failed, 1)
	strange := auth("s", "a", failed)
	strange.Addr = two
	given := login("s", "Login aborted: Connection closed", aborted, 1)
	plain := login("s", "Login failed: Plaintext authentication disabled", refused, 1)
	unknown := login("s", "Authenticate X failed: Unsupported authentication mechanism.", refused, 1)
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		want   Status
		kind   event.Kind
		n      int
	}{
		"Postfix first":                      {[]event.Record{saslOf("a")}, after(20*time.Microsecond, auth("", "a", failed)), Folded, failed, 1},
		"Postfix first, on the next second":  {[]event.Record{after(900*time.Millisecond, saslOf("a"))}, after(1100*time.Millisecond, auth("", "a", failed)), Folded, failed, 1},
		"Postfix first, without a name":      {[]event.Record{saslOf("")}, auth("", "a", failed), Folded, failed, 1},
		"Postfix first, no name for Dovecot": {[]event.Record{saslOf("a b")}, auth("", "", failed), Folded, failed, 1},
		"Postfix first, realm added":         {[]event.Record{saslOf("a")}, auth("", "a@example.org", failed), Folded, failed, 1},
		"Postfix first, another realm":       {[]event.Record{saslOf("a@example.net")}, auth("", "a@example.org", failed), New, failed, 1},
		"Postfix first, another user":        {[]event.Record{saslOf("a")}, auth("", "b", failed), New, failed, 1},
		"Postfix long before":                {[]event.Record{saslOf("a")}, after(4*time.Second, auth("", "a", failed)), New, failed, 1},
		"Postfix told of the one before":     {[]event.Record{auth("", "a", failed), saslOf("a")}, auth("", "a", failed), New, failed, 1},
		"each counts once":                   {[]event.Record{saslOf("a"), auth("", "a", failed)}, saslOf("a"), New, failed, 1},

		"another client's session":      {[]event.Record{strange}, auth("s", "a", failed), New, failed, 1},
		"another client's end":          {[]event.Record{strange}, end, New, failed, 1},
		"the end first":                 {[]event.Record{end}, auth("s", "a", failed), Folded, failed, 0},
		"PAM, an end long after":        {[]event.Record{module(event.Dovecot)}, after(loginStays+1, end), New, failed, 1},
		"the end first, two attempts":   {[]event.Record{end, auth("s", "a", failed)}, auth("s", "b", failed), New, failed, 1},
		"the end first, of another":     {[]event.Record{end}, auth("x", "a", failed), New, failed, 1},
		"given up, then why":            {[]event.Record{given}, login("s", "Authenticate PLAIN failed: Aborted", aborted, 1), Folded, aborted, 0},
		"why, then given up":            {[]event.Record{login("s", "Authenticate PLAIN failed: Aborted", aborted, 1)}, given, Folded, aborted, 0},
		"refused, then the end":         {[]event.Record{plain}, end, Folded, failed, 0},
		"refused twice, then the end":   {[]event.Record{plain, plain}, login("s", "Disconnected", failed, 2), Folded, failed, 0},
		"refused, and a wrong password": {[]event.Record{plain}, login("s", "Disconnected", failed, 2), New, failed, 1},
		"mechanism, then the end":       {[]event.Record{unknown}, login("s", "Disconnected", refused, 1), Folded, refused, 0},
		"mechanism twice":               {[]event.Record{unknown}, unknown, New, refused, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expectStatus(t, tt.before, tt.last, tt.want, tt.kind, tt.n) })
	}
}

// expectStatus joins the records, by one Joiner and by one that a snapshot restores
// after each of them.
func expectStatus(t *testing.T, before []event.Record, last event.Record, want Status, kind event.Kind, n int) {
	t.Helper()
	for _, restoring := range []bool{false, true} {
		j := NewJoiner(event.HashKey{})
		for _, r := range before {
			if r.Time.IsZero() {
				r = after(0, r)
			}
			j.Join(&r)
			if !restoring {
				continue
			}
			restored := NewJoiner(event.HashKey{})
			if err := restored.Restore(j.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			j = restored
		}
		last := last
		if last.Time.IsZero() {
			last = after(0, last)
		}
		if told := j.Join(&last); told != want || last.Kind != kind || last.Attempts != n {
			t.Errorf("restoring %t: told %d, %s, %d attempts; expected %d, %s, %d", restoring, told, last.Kind, last.Attempts, want, kind, n)
		}
	}
}

// A failed login that our fault explains leaves nothing for the session's end.
func TestFaultEndsFolded(t *testing.T) {
	expectStatus(t, []event.Record{auth("", "a", event.AuthFault), saslOf("a")},
		record(9, one, event.AuthFailed, event.Disconnected, 1), Folded, event.AuthFailed, 0)
}

// A fault that a client brought about at Postfix hides no guess at Dovecot, whose line
// at its end names no session.
func TestFaultAtPostfixHidesNoGuess(t *testing.T) {
	expectStatus(t, []event.Record{auth("", "a", event.AuthFault), saslOf("a")},
		login("", "Disconnected", event.AuthFailed, 1), New, event.AuthFailed, 1)
}

// One connection's refusals by postscreen are one offence.
func TestScreenedAgain(t *testing.T) {
	refused := func(port, code string, kind event.Kind) event.Record {
		r := record(1, one, kind, event.NoTestimony, 1)
		r.Service, r.Program, r.Session, r.Code = event.Postscreen, "postfix/postscreen", port, code
		return r
	}
	listed := refused("4711", "550 5.7.1", event.DNSBLListed)
	tests := map[string]struct {
		last event.Record
		want Status
	}{
		"the same kind":      {listed, Folded},
		"another kind":       {refused("4711", "550 5.5.1", event.ProtocolError), Folded},
		"another connection": {refused("4712", "550 5.7.1", event.DNSBLListed), New},
		"the port again":     {after(301*time.Second, listed), New},
		"no reject":          {refused("", "", event.ProtocolError), New},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expectStatus(t, []event.Record{listed}, tt.last, tt.want, tt.last.Kind, 1)
		})
	}
}
