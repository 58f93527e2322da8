package enforce

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"csmail/pkg/event"
)

// The limits of the memory about passwords, and of the time between a question and the
// log line about it.
const (
	maxLogins = 10_000 // sessions of Dovecot, and clients of Postfix
	maxTries  = 8      // of one login

	// ofLogin is how long a login session may last: Dovecot cuts it off after three
	// minutes (CLIENT_LOGIN_TIMEOUT_MSECS in src/login-common/client-common.h, 2.3).
	ofLogin = 5 * time.Minute

	// ofSASL is how long after the question Postfix logs a failed login: Dovecot holds
	// the answer back for up to 15 s (AUTH_PENALTY_MAX_SECS in src/auth, 2.3).
	ofSASL = 30 * time.Second
)

// Passwords remembers for some minutes the password of each login, as marks that are
// equal for equal passwords. Dovecot's auth policy sends a hash in the question before
// each login, but the log line about the failure has none. So the line gets the mark from
// here, and the guard can distinguish an old password that a phone repeats from guesses.
//
// A line gets a mark only if there is no doubt: the session, or the client of Postfix
// within half a minute, tried one password on one account. Otherwise it gets none, and
// counts as a guess. The methods are safe for concurrent use.
type Passwords struct {
	mu     sync.Mutex
	now    map[loginKey]*tries // logins of late
	before map[loginKey]*tries // older ones, dropped together
}

// loginKey is a login session of Dovecot, or with no session a client of Postfix.
type loginKey struct {
	addr    netip.Addr
	session string
}

// Try is a password that was tried on an account.
type Try struct {
	At       time.Time
	Addr     netip.Addr
	Account  string
	Session  string // of Dovecot; "" for a login at Postfix
	Password event.PasswordMark
}

// tries are the passwords that were tried in one login, the newest last.
type tries struct {
	all  []passwordTry
	lost time.Time // the newest that there was no room for
}

type passwordTry struct {
	at       time.Time
	account  string
	password event.PasswordMark
}

// NewPasswords returns an empty memory.
func NewPasswords() *Passwords {
	return &Passwords{now: map[loginKey]*tries{}, before: map[loginKey]*tries{}}
}

// Add remembers a try. One without a mark is remembered, too: its log line must not get
// that of another.
func (m *Passwords) Add(t Try) {
	if !t.Addr.IsValid() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.entry(loginKey{t.Addr, cut(t.Session)})
	if len(one.all) == maxTries {
		one.lost = one.all[0].at
		one.all = append(one.all[:0], one.all[1:]...)
	}
	one.all = append(one.all, passwordTry{t.At, cut(event.FoldLogin(t.Account)), t.Password})
}

// entry finds or makes the entry of a login. At the limit the older half goes.
func (m *Passwords) entry(k loginKey) *tries {
	if t := m.now[k]; t != nil {
		return t
	}
	t := m.before[k]
	if t == nil {
		t = &tries{}
	}
	if len(m.now) >= maxLogins/2 {
		m.before, m.now = m.now, map[loginKey]*tries{}
	}
	k.session = strings.Clone(k.session)
	m.now[k] = t
	return t
}

// MarkOf returns the mark of the password that a line about failed logins is about; 0 if
// it is not known for sure.
func (m *Passwords) MarkOf(r *event.Record) event.PasswordMark {
	if r.Outcome != event.Noted || r.Kind != event.AuthFailed || !r.Addr.IsValid() {
		return 0
	}
	k, lasts := loginKey{r.Addr, cut(r.Session)}, ofLogin
	switch {
	case r.Service == event.Postfix:
		k.session, lasts = "", ofSASL
	case r.Service != event.Dovecot:
		return 0
	case r.Session == "":
		lasts = ofSASL
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.now[k]
	if t == nil {
		t = m.before[k]
	}
	if t == nil {
		return 0
	}
	return t.markOf(r, lasts)
}

// markOf returns the mark that all tries on the line's account share, if they are as many
// as the line counts.
func (t *tries) markOf(r *event.Record, lasts time.Duration) event.PasswordMark {
	from, to := r.Time.Add(-lasts), r.Time.Add(early)
	if !t.lost.Before(from) {
		return 0
	}
	user := event.AccountOf(r.User)
	var found *passwordTry
	n := 0
	for i := range t.all {
		one := &t.all[i]
		if one.at.Before(from) || one.at.After(to) || r.User != "" && !event.AccountOf(one.account).Is(user) {
			continue
		}
		if found != nil && (found.password != one.password || found.account != one.account) {
			return 0
		}
		found = one
		n++
	}
	if found == nil || n < r.Attempts {
		return 0
	}
	return found.password
}
