package state

import (
	"math"
	"strconv"
	"strings"

	"csmail/pkg/event"
)

// codecVersion is the first byte of every value that the codec writes. An added field or
// another order needs a new version, and all older versions must stay readable.
const (
	codecVersion  = 6
	createdSince  = 2 // Told.Created
	factsSince    = 3 // Event.Phase, Event.Cause
	flowSince     = 4 // Record.Flow, Input.Lines, Input.Missed
	passwordSince = 5 // Event.Password
	shortSince    = 6 // the short form of a line that only the report reads
	oldestVersion = 1
)

// version writes or reads the version, and returns it.
func (c *codec) version() uint8 {
	version := uint8(codecVersion)
	c.byte(&version)
	c.at = version
	if c.err == nil && (version < oldestVersion || version > codecVersion) {
		c.fail("version %d, known are %d to %d", version, oldestVersion, codecVersion)
	}
	return version
}

// kind is kept by its name: the numbers differ from release to release.
func (c *codec) kind(v *event.Kind) {
	name := ""
	if !c.reading && *v != event.NoKind {
		name = v.String()
	}
	c.string(&name)
	if !c.reading || c.err != nil || name == "" {
		return
	}
	if err := v.UnmarshalText([]byte(name)); err != nil {
		c.fail("%v", err)
	}
}

// event writes or reads an event. New fields go to the end, with a new version of the
// codec.
func (c *codec) event(e *event.Event) {
	service := uint8(e.Service)
	c.time(&e.Time)
	c.string(&e.Host)
	c.byte(&service)
	c.string(&e.Program)
	c.int(&e.PID)
	c.kind(&e.Kind)
	c.addr(&e.Addr)
	c.string(&e.User)
	c.string(&e.ClientName)
	c.string(&e.Helo)
	c.string(&e.Sender)
	c.string(&e.Recipient)
	c.string(&e.Mechanism)
	c.string(&e.Code)
	c.string(&e.Reason)
	c.string(&e.Session)
	c.int(&e.Attempts)
	c.string(&e.Message)
	if int(service) >= event.ServiceCount {
		c.fail("service %d", service)
		return
	}
	e.Service = event.Service(service)
	c.facts(e)
}

// facts are the phase and the cause that a grammar set, and the mark of the password.
// Files older than these facts hold the text only.
func (c *codec) facts(e *event.Event) {
	if c.reading && c.at < factsSince {
		e.Phase, e.Cause = phaseOf(e), causeOf(e)
		return
	}
	phase, cause := uint8(e.Phase), uint8(e.Cause)
	c.byte(&phase)
	c.byte(&cause)
	if phase > uint8(event.LastPhase) || cause > uint8(event.LastCause) {
		c.fail("phase %d, cause %d", phase, cause)
		return
	}
	e.Phase, e.Cause = event.Phase(phase), event.Cause(cause)
	if c.at < passwordSince {
		return
	}
	password := uint64(e.Password)
	c.uint(&password)
	if password > math.MaxUint16 {
		c.fail("password mark %d", password)
		return
	}
	e.Password = event.PasswordMark(password)
}

// record writes or reads a record with its outcome and testimony.
func (c *codec) record(r *event.Record) {
	outcome, testimony := uint8(r.Outcome), uint8(r.Testimony)
	c.byte(&outcome)
	c.byte(&testimony)
	c.int64(&r.Line)
	c.event(&r.Event)
	if outcome > uint8(event.Noted) || testimony > uint8(event.LastTestimony) {
		c.fail("outcome %d, testimony %d", outcome, testimony)
		return
	}
	r.Outcome, r.Testimony = event.Outcome(outcome), event.Testimony(testimony)
}

// The forms of an input.
const (
	tickForm = iota
	recordForm
	flowForm // a line that only the report reads, since version 6
	inputForms
)

func formOf(in *Input) uint8 {
	switch {
	case in.Record == nil:
		return tickForm
	case in.Record.Flow != nil && in.Record.Outcome < event.Witness:
		return flowForm
	}
	return recordForm
}

// input writes or reads an input: a tick of the clock, or a record with its source.
func (c *codec) input(in *Input) {
	form := formOf(in)
	c.byte(&form)
	if form == tickForm {
		c.time(&in.Tick)
		return
	}
	if form >= inputForms || form == flowForm && c.at < shortSince {
		c.fail("input of form %d", form)
		return
	}
	if c.reading {
		in.Record = new(event.Record)
	}
	c.string(&in.Source)
	if form == flowForm {
		c.uint(&in.Lines)
		c.uint(&in.Missed)
		c.flowRecord(in.Record)
		return
	}
	c.record(in.Record)
	if c.at >= flowSince {
		c.uint(&in.Lines)
		c.uint(&in.Missed)
		c.recordFlow(in.Record)
	}
}

// alert writes or reads an alert with its evidence.
func (c *codec) alert(a *event.Alert) {
	scope := scopeText(a)
	c.string(&a.Scenario)
	c.string(&scope)
	c.addr(&a.Source)
	c.string(&a.Account)
	c.int(&a.Count)
	c.time(&a.First)
	c.time(&a.Last)
	c.string(&a.Message)
	list(c, &a.Kinds, func(n *event.Count) { c.string(&n.Name); c.int(&n.N) })
	list(c, &a.Services, c.string)
	list(c, &a.Evidence, c.event)
	c.bool(&a.Informational)
	list(c, &a.Checks, c.string)
	name, bits, named := strings.Cut(scope, "/")
	if a.Scope = event.Scope(name); named {
		a.Bits, _ = strconv.Atoi(bits)
	}
}

// scopeText is the scope with the length of its network, unless that is the usual one.
// For example: "Range/28". Older files hold no length.
func scopeText(a *event.Alert) string {
	if a.Bits == 0 {
		return string(a.Scope)
	}
	return string(a.Scope) + "/" + strconv.Itoa(a.Bits)
}

// entry writes or reads an entry of a list.
func (c *codec) entry(e *Entry) {
	c.version()
	c.string(&e.ID)
	c.alert(&e.Alert)
	c.duration(&e.Duration)
	c.time(&e.Until)
	c.bool(&e.Simulate)
	c.int(&e.Renewal)
	c.time(&e.Queued)
	c.int(&e.Tries)
	c.time(&e.Refused)
	c.string(&e.Reason)
}

// An alert of the history with its outcome.
func (c *codec) told(t *Told) {
	status := uint8(t.Status)
	version := c.version()
	c.string(&t.ID)
	c.string(&t.Number)
	c.byte(&status)
	c.string(&t.Reason)
	c.time(&t.Sent)
	c.alert(&t.Alert)
	c.duration(&t.Duration)
	c.bool(&t.Simulate)
	c.int(&t.Renewal)
	list(c, &t.Bans, c.ban)
	c.bool(&t.Looked)
	c.time(&t.Unbanned)
	if version >= createdSince {
		c.time(&t.Created)
	}
	if status > uint8(lastStatus) {
		c.fail("status %d", status)
		return
	}
	t.Status = Status(status)
}

func (c *codec) ban(b *Ban) {
	c.int64(&b.ID)
	c.string(&b.Type)
	c.time(&b.Until)
}
