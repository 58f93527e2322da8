package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/scenario/expression"
)

// eventLine is one event of csmail events -o json. Tools depend on the names.
type eventLine struct {
	Source    string     `json:"source"`
	Line      int64      `json:"line"`
	Time      time.Time  `json:"time"`
	Host      string     `json:"host,omitempty"`
	Service   string     `json:"service"`
	Program   string     `json:"program"`
	PID       int        `json:"pid,omitempty"`
	Kind      event.Kind `json:"kind"`
	Class     string     `json:"class"`
	IP        string     `json:"ip,omitempty"`
	User      string     `json:"user,omitempty"`
	Client    string     `json:"client_name,omitempty"`
	Helo      string     `json:"helo,omitempty"`
	Sender    string     `json:"sender,omitempty"`
	Recipient string     `json:"recipient,omitempty"`
	Mechanism string     `json:"mechanism,omitempty"`
	Code      string     `json:"code,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Session   string     `json:"session,omitempty"`
	Attempts  int        `json:"attempts"`
	Folded    bool       `json:"folded,omitempty"`
	Repeated  bool       `json:"repeated,omitempty"`
	Withheld  bool       `json:"withheld,omitempty"`
	LoggedIn  bool       `json:"logged_in,omitempty"`
}

// EventsForm is the printed form of events.
type EventsForm string

// The forms of events.
const (
	EventsHuman    EventsForm = "human"
	EventsJSON     EventsForm = "json"
	EventsCrowdSec EventsForm = "crowdsec" // [CrowdSecEvent], once for each pour
)

// Events prints events one a line. Use it from one goroutine at a time.
type Events struct {
	out     *bufio.Writer
	encoder *json.Encoder
	form    EventsForm
	zone    *time.Location
	err     error
}

// NewEvents prints to w. Times of the form for a person are in zone.
func NewEvents(w io.Writer, form EventsForm, zone *time.Location) *Events {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(plainJSON{out})
	encoder.SetEscapeHTML(false)
	return &Events{out: out, encoder: encoder, form: form, zone: zone}
}

// Print prints one event of a source. After an error it does nothing.
func (p *Events) Print(source string, r engine.Result) {
	if p.err != nil {
		return
	}
	switch p.form {
	case EventsHuman:
		_, p.err = fmt.Fprintln(p.out, humanEvent(r, p.zone))
	case EventsCrowdSec:
		p.err = p.pour(r)
	default:
		p.err = p.encoder.Encode(jsonEvent(source, r))
	}
}

// pour prints the event as scenarios count it.
func (p *Events) pour(r engine.Result) error {
	if !r.IsOffence() {
		return nil
	}
	return p.pourEvent(&r.Event, r.Pours())
}

// PrintReleased prints an offence that was withheld and counts now, in the form for
// CrowdSec.
func (p *Events) PrintReleased(r *event.Record) {
	if p.err == nil && p.form == EventsCrowdSec {
		released := engine.Result{Record: r}
		p.err = p.pourEvent(&r.Event, released.Pours())
	}
}

// pourEvent prints an event once for each attempt.
func (p *Events) pourEvent(e *event.Event, pours int) error {
	if pours == 0 {
		return nil
	}
	meta, parsed := expression.View(e)
	for range pours {
		if err := CrowdSecEvent(p.out, e, meta, parsed); err != nil {
			return err
		}
	}
	return nil
}

// jsonEvent returns the event in the form of -o json.
func jsonEvent(source string, r engine.Result) eventLine {
	line := eventLine{
		Source: source, Line: r.Line, Time: r.Time, Host: r.Host, Service: r.Service.String(), Program: r.Program, PID: r.PID,
		Kind: r.Kind, Class: r.Kind.Class().String(), User: r.User, Client: r.ClientName, Helo: r.Helo, Sender: r.Sender,
		Recipient: r.Recipient, Mechanism: r.Mechanism, Code: r.Code, Reason: r.Reason, Session: r.Session,
		Attempts: max(r.Attempts, 0), Folded: r.Folded, Repeated: r.Repeated,
		Withheld: r.Withheld, LoggedIn: r.LoggedIn,
	}
	if r.Addr.IsValid() {
		line.IP = r.Addr.String()
	}
	return line
}

// Flush writes the rest and returns the first error.
func (p *Events) Flush() error {
	if p.err != nil {
		return p.err
	}
	return p.out.Flush()
}

// humanEvent returns the event as a line for a person.
func humanEvent(r engine.Result, zone *time.Location) string {
	address := "-"
	if r.Addr.IsValid() {
		address = r.Addr.String()
	}
	note := ""
	switch {
	case r.Copy:
		note = " (a copy of an earlier line)"
	case r.Folded:
		note = " (counted before)"
	case r.Repeated:
		note = " (the same once more in one session)"
	case r.Withheld && r.Service == event.Dovecot:
		note = " (counts unless another line says why)"
	case r.Withheld:
		note = " (counts unless the session logs in)"
	case r.LoggedIn:
		note = " (the session has logged in)"
	}
	return fmt.Sprintf("%s  %-39s  %-18s %-8s %s%s", r.Time.In(zone).Format(time.DateTime), address, r.Kind, r.Kind.Class(), Printable(r.User), note)
}
