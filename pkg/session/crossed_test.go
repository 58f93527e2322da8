package session

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
)

// explainedJoiner returns a Joiner that knows that Dovecot's auth process logs why logins
// fail.
func explainedJoiner() *Joiner {
	j := NewJoiner(event.HashKey{})
	earlier := after(-time.Hour, auth("earlier", "eve", event.AuthFailed))
	j.Join(&earlier)
	return j
}

// countedOf returns the attempts of a log that count, by kind, "auth-failed 2".
func countedOf(j *Joiner, log ...event.Record) []string {
	sums := map[string]int{}
	add := func(r *event.Record) { sums[r.Kind.String()] += r.Attempts }
	earlier := func() {
		for i := range j.Earlier().Released {
			add(&j.Earlier().Released[i].Record)
		}
	}
	var last time.Time
	for _, r := range log {
		if r.Time.IsZero() {
			r = after(0, r)
		}
		last = r.Time
		if j.Join(&r) == New {
			add(&r)
		}
		earlier()
	}
	j.ReleaseAll(last.Add(time.Hour))
	earlier()
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, fmt.Sprint(kind, " ", sums[kind]))
	}
	return all
}

// The end of a login and the line that says why it failed count the same in both orders:
// a refusal by csmail is no offence, and a wrong password is one.
func TestEndAndReason(t *testing.T) {
	const failed, own = event.AuthFailed, event.OwnRefusal
	for _, program := range []string{"dovecot/imap-login", "dovecot/pop3-login", "dovecot/managesieve-login", "dovecot/submission-login"} {
		end := func(n int) event.Record {
			r := login("s", "Login aborted: Logged out (auth failed)", failed, n)
			r.Program = program
			return r
		}
		elsewhere, stranger := auth("x", "bob", own), auth("s", "bob", own)
		stranger.Addr = two
		for name, tt := range map[string]struct {
			reasons []event.Record
			end     event.Record
			want    []string
		}{
			"a refusal by csmail":           {[]event.Record{auth("s", "bob", own)}, end(1), []string{"own-refusal 1"}},
			"a wrong password":              {[]event.Record{auth("s", "bob", failed)}, end(1), []string{"auth-failed 1"}},
			"a fault":                       {[]event.Record{auth("s", "bob", event.AuthFault)}, end(1), []string{"auth-fault 1"}},
			"a wrong password, refused":     {[]event.Record{auth("s", "bob", failed), after(2*time.Second, auth("s", "bob", own))}, after(2*time.Second, end(2)), []string{"auth-failed 1", "own-refusal 1"}},
			"no reason":                     {nil, end(2), []string{"auth-failed 2"}},
			"one reason of two":             {[]event.Record{auth("s", "bob", own)}, end(2), []string{"auth-failed 1", "own-refusal 1"}},
			"a refusal of another session":  {[]event.Record{elsewhere}, end(1), []string{"auth-failed 1", "own-refusal 1"}},
			"a refusal of another's client": {[]event.Record{stranger}, end(1), []string{"auth-failed 1", "own-refusal 1"}},
		} {
			for i := range len(tt.reasons) + 1 {
				log := slices.Insert(slices.Clone(tt.reasons), i, tt.end)
				if got := countedOf(explainedJoiner(), log...); !slices.Equal(got, tt.want) {
					t.Errorf("%s, %s, the end at place %d: got %v, want %v", program, name, i, got, tt.want)
				}
			}
		}
	}
	databases := []event.Record{login("s", "Disconnected", failed, 1), auth("s", "bob", failed), auth("s", "bob", failed)}
	if got := countedOf(explainedJoiner(), databases...); !slices.Equal(got, []string{"auth-failed 1"}) {
		t.Errorf("the end, then two databases: got %v, want one attempt", got)
	}
}

// The end counts at the latest when it has waited, and a reason that comes later does not
// count again.
func TestEndWithoutReason(t *testing.T) {
	const failed, own = event.AuthFailed, event.OwnRefusal
	end := func(session string, at time.Duration) event.Record {
		return after(at, login(session, "Disconnected", failed, 1))
	}
	j := explainedJoiner()
	first := end("s", 0)
	if got := j.Join(&first); got != Withheld || !j.Waiting() {
		t.Fatalf("the first end: got status %d, want it withheld", got)
	}
	j.Expire(first.Time.Add(crossedFor))
	if got := j.Earlier().Released; len(got) != 1 || got[0].Record.Attempts != 1 || !got[0].At.Equal(first.Time.Add(crossedFor)) || j.Waiting() {
		t.Fatalf("after %s: got %+v, want the end", crossedFor, got)
	}
	late := after(crossedFor, auth("s", "bob", own))
	if got := j.Join(&late); got != Folded {
		t.Errorf("its reason, too late: got status %d, want it folded", got)
	}
	for _, tt := range []struct {
		line event.Record
		want Status
	}{
		{end("t", 10*time.Second), Withheld}, // the late reason shows that there are reasons
		{end("u", 20*time.Second), New},      // there was none for the one before
		{after(21*time.Second, auth("v", "bob", own)), New},
		{end("w", 22*time.Second), Withheld},
	} {
		if got := j.Join(&tt.line); got != tt.want {
			t.Errorf("%s at %s: got status %d, want %d", tt.line.Session, tt.line.Time.Format(time.TimeOnly), got, tt.want)
		}
	}
}

// Where the auth process may log nothing, as Dovecot does by default, an end counts at once.
func TestEndWhereNoReasonsAreLogged(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	end := after(0, login("s", "Disconnected", event.AuthFailed, 1))
	if got := j.Join(&end); got != New || j.Waiting() {
		t.Errorf("got status %d, want it to count at once", got)
	}
}

// With too many ends that wait, the oldest counts.
func TestManyEnds(t *testing.T) {
	j := explainedJoiner()
	for i := range maxWithheld + 1 {
		r := after(0, login(fmt.Sprint(i), "Disconnected", event.AuthFailed, 1))
		if got := j.Join(&r); got != Withheld {
			t.Fatalf("end %d: got status %d, want it withheld", i, got)
		}
	}
	if got := released(j); got != 1 || j.crossed.len() != maxWithheld {
		t.Errorf("got %d released and %d that wait, want 1 and %d", got, j.crossed.len(), maxWithheld)
	}
}
