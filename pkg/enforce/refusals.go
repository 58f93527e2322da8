package enforce

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"time"

	"csmail/pkg/event"
)

// Refusal is one time that a client was kept out.
type Refusal struct {
	At        time.Time
	Door      Door
	Addr      netip.Addr
	Account   string
	Session   string
	PID       int
	OfAccount bool  // the decision was on the account, not on the address
	ID        int64 // of the decision
	Action    Action
	Service   string
}

// The limits of the memory, and the times within which it explains log lines.
const (
	maxAddresses = 20_000
	maxSessions  = 8 // of an address: sessions, processes and accounts each

	// ofAddress is the time after a refusal within which the log lines about a banned
	// address are about refusals, because each further attempt is refused too.
	ofAddress = 5 * time.Minute

	// ofSession is the longest time of a session with a refusal: Dovecot ends a login
	// after three minutes, Postfix a session after five minutes without a command.
	ofSession = time.Hour

	// unnamedLines is the number of lines without a user that one refusal of an account
	// explains: the failed login and the end of the session. A client that is refused for
	// one account and guesses at others is not excused.
	unnamedLines = 2

	// early is how far a stamp in the log may lie before the refusal: stamps have whole
	// seconds, and the line's may be from before the question.
	early = 3 * time.Second
)

// Refusals remembers the refused clients, by address. The log lines about a refusal look
// like offences: Dovecot counts a refusal as a failed login, Postfix as a failed command,
// and four of the nine kinds of lines do not hold csmail's text. The methods are safe for
// concurrent use.
type Refusals struct {
	mu      sync.Mutex
	now     map[netip.Addr]*refused // addresses of late
	before  map[netip.Addr]*refused // older ones, dropped together
	changed bool
	total   uint64
}

// refused holds the refusals of an address.
type refused struct {
	smtp, login time.Time // time of the last refusal of the address itself, by service
	screen      time.Time
	sessions    [maxSessions]session
	next        int
	count       uint32
	last        Refusal
}

// session is a connection or an account with a refusal.
type session struct {
	at      time.Time
	session string
	pid     int
	account string // only of a decision on the account
	unnamed int    // lines without a user that this refusal may still explain
}

// NewRefusals returns an empty memory.
func NewRefusals() *Refusals {
	return &Refusals{now: map[netip.Addr]*refused{}, before: map[netip.Addr]*refused{}}
}

// Add remembers a refusal.
func (m *Refusals) Add(r Refusal) {
	if !r.Addr.IsValid() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total++
	m.changed = true
	a := m.entry(r.Addr)
	a.count++
	a.last = r
	if !r.OfAccount {
		*a.timeOf(familyOf(r)) = r.At
	}
	s := session{at: r.At, session: cut(r.Session), pid: r.PID}
	if r.OfAccount {
		s.account, s.unnamed = cut(strings.ToLower(r.Account)), unnamedLines
	}
	if s.session == "" && s.pid == 0 && s.account == "" {
		return
	}
	a.sessions[a.next%maxSessions] = s
	a.next++
}

func cut(text string) string { return strings.Clone(text[:min(len(text), 128)]) }

// entry finds or makes the entry of an address. At the limit the older half goes.
func (m *Refusals) entry(addr netip.Addr) *refused {
	if a := m.now[addr]; a != nil {
		return a
	}
	a := m.before[addr]
	if a == nil {
		a = &refused{}
	}
	if len(m.now) >= maxAddresses/2 {
		m.before, m.now = m.now, map[netip.Addr]*refused{}
	}
	m.now[addr] = a
	return a
}

func (m *Refusals) find(addr netip.Addr) *refused {
	if a := m.now[addr]; a != nil {
		return a
	}
	return m.before[addr]
}

// family is the kind of log lines that a refusal explains.
type family uint8

const (
	smtp family = iota
	login
	screen
)

// familyOf returns the family of a refusal. Postfix's logins come through Dovecot with
// the protocol smtp.
func familyOf(r Refusal) family {
	switch {
	case r.Door == Socketmap || r.Door == DNSBL:
		return screen
	case r.Door == Policy, r.Service == "smtp", r.Service == "submission", r.Service == "lmtp":
		return smtp
	}
	return login
}

func (a *refused) timeOf(f family) *time.Time {
	switch f {
	case smtp:
		return &a.smtp
	case screen:
		return &a.screen
	}
	return &a.login
}

// Explains reports whether a log line is about a refusal by csmail and so is no offence
// of the client. It is true only for lines that would otherwise count against the client.
func (m *Refusals) Explains(r *event.Record) bool {
	if r.Outcome != event.Noted || !r.Addr.IsValid() {
		return false
	}
	if class := r.Kind.Class(); class != event.Hostile && class != event.Suspect {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.find(r.Addr)
	if a == nil {
		return false
	}
	return a.byAddress(r) || a.bySession(r)
}

func (a *refused) byAddress(r *event.Record) bool {
	switch r.Service {
	case event.Postfix:
		return within(a.smtp, r.Time, ofAddress) || within(a.screen, r.Time, ofAddress)
	case event.Postscreen:
		return within(a.screen, r.Time, ofAddress)
	case event.Dovecot:
		// A login at Postfix is in the lines of Dovecot's auth process, too.
		return within(a.login, r.Time, ofAddress) || r.Program == "dovecot/auth" && within(a.smtp, r.Time, ofAddress)
	}
	return false
}

func (a *refused) bySession(r *event.Record) bool {
	if r.Service == event.SSHD {
		return false
	}
	for i := range a.sessions {
		s := &a.sessions[i]
		if s.at.IsZero() || !within(s.at, r.Time, ofSession) {
			continue
		}
		switch {
		case s.session != "" && s.session == r.Session:
			return true
		case s.pid != 0 && s.pid == r.PID && r.Service == event.Postfix:
			return true
		case s.account == "" || !within(s.at, r.Time, ofAddress):
		case strings.EqualFold(s.account, r.User):
			return true
		case r.User == "" && countsLogins(r.Kind) && s.unnamed > 0:
			s.unnamed--
			return true
		}
	}
	return false
}

// countsLogins reports whether a line without a user may be about the refused login.
func countsLogins(k event.Kind) bool {
	switch k {
	case event.AuthFailed, event.AuthAborted, event.LostConnection, event.NoAuth, event.LoginRefused, event.TooManyErrors, event.ErrorLimit:
		return true
	}
	return false
}

func within(refused, logged time.Time, after time.Duration) bool {
	return !refused.IsZero() && !logged.Before(refused.Add(-early)) && logged.Before(refused.Add(after))
}

// Last returns the latest refusal of an address and how many there were since the start,
// for csmail why. Of one before the start only the time is known.
func (m *Refusals) Last(addr netip.Addr) (last Refusal, count int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.find(addr.Unmap())
	if a == nil {
		return Refusal{}, 0
	}
	if a.count > 0 {
		return a.last, int(a.count)
	}
	for _, at := range []time.Time{a.smtp, a.login, a.screen} {
		if at.After(last.At) {
			last.At = at
		}
	}
	for i := range a.sessions {
		if at := a.sessions[i].at; at.After(last.At) {
			last.At = at
		}
	}
	return last, 0
}

const refusalsVersion = 1

// TakeSnapshot returns the refusals in the form that [Refusals.Restore] reads, and
// reports whether they changed since the last snapshot. Accounts and sessions older than
// an hour are left out, because they explain no line any more.
func (m *Refusals) TakeSnapshot(now time.Time) (snapshot []byte, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil, false
	}
	m.changed = false
	b := []byte{refusalsVersion}
	for _, entries := range []map[netip.Addr]*refused{m.before, m.now} {
		for addr, a := range entries {
			b = a.append(b, addr, now)
		}
	}
	return b, true
}

func (a *refused) append(b []byte, addr netip.Addr, now time.Time) []byte {
	var recent []session
	for _, s := range a.sessions {
		if !s.at.IsZero() && now.Sub(s.at) < ofSession {
			recent = append(recent, s)
		}
	}
	old := now.Add(-ofSession)
	if len(recent) == 0 && a.smtp.Before(old) && a.login.Before(old) && a.screen.Before(old) {
		return b
	}
	raw := addr.AsSlice()
	b = append(append(b, byte(len(raw))), raw...)
	for _, t := range []time.Time{a.smtp, a.login, a.screen} {
		b = appendTime(b, t)
	}
	b = append(b, byte(len(recent)))
	for _, s := range recent {
		b = appendTime(b, s.at)
		b = appendText(b, s.session)
		b = binary.AppendVarint(b, int64(s.pid))
		b = appendText(b, s.account)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Restore adds the refusals of an earlier run. From a damaged snapshot it takes the part
// before the damage, since each entry there is a refusal.
func (m *Refusals) Restore(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(b) == 0 || b[0] != refusalsVersion {
		return
	}
	r := reader{b: b[1:]}
	for len(r.b) > 0 {
		addr, ok := netip.AddrFromSlice(r.take(uint64(r.byte())))
		a := &refused{smtp: r.time(), login: r.time(), screen: r.time()}
		n := r.byte()
		if !ok || r.bad || n > maxSessions {
			return
		}
		for range n {
			a.sessions[a.next] = session{at: r.time(), session: r.text(), pid: int(r.varint()), account: r.text(), unnamed: unnamedLines}
			a.next++
		}
		if r.bad || len(m.before) >= maxAddresses {
			return
		}
		m.before[addr.Unmap()] = a
	}
}

// reader reads a snapshot; after the first fault it gives nothing but zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) time() time.Time {
	if ms := r.varint(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (r *reader) text() string {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > 128 {
		r.bad, r.b = true, nil
		return ""
	}
	r.b = r.b[size:]
	return string(r.take(n))
}
