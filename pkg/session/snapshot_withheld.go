package session

import (
	"encoding/binary"
	"time"

	"csmail/pkg/event"
)

func appendWithheldKey(b []byte, k withheldKey) []byte {
	return append(appendProcessKey(b, k.processKey), byte(k.kind))
}

func readWithheldKey(d *decoder) withheldKey { return withheldKey{readProcessKey(d), d.kind()} }

func appendWithheld(b []byte, w withheld) []byte {
	r := &w.record
	b = append(b, byte(r.Service), byte(r.Kind), byte(r.Phase), byte(r.Cause))
	for _, n := range [...]int64{r.Line, int64(r.PID), int64(r.Attempts), r.Time.UnixNano()} {
		b = binary.AppendVarint(b, n)
	}
	b = appendAddr(b, r.Addr)
	for _, text := range withheldTexts(&r.Event) {
		b = appendText(b, *text)
	}
	return b
}

// readWithheld reads an offence. Offences are stored in the order of the log.
func (j *Joiner) readWithheld(d *decoder) withheld {
	var w withheld
	r := &w.record
	r.Outcome, r.Service, r.Kind = event.Noted, event.Service(d.byte()), d.kind()
	r.Phase, r.Cause = event.Phase(d.byte()), event.Cause(d.byte())
	r.Line, r.PID, r.Attempts = d.varint(), int(d.varint()), int(d.varint())
	r.Time, r.Addr = time.Unix(0, d.varint()).UTC(), d.addr()
	for _, text := range withheldTexts(&r.Event) {
		*text = d.text()
	}
	j.withholdings++
	w.number = j.withholdings
	return w
}

// withheldTexts lists the texts of an event in the order of a snapshot.
func withheldTexts(e *event.Event) [12]*string {
	return [...]*string{
		&e.ClientName, &e.Session, &e.Program, &e.Host, &e.User, &e.Reason, &e.Code, &e.Message,
		&e.Helo, &e.Sender, &e.Recipient, &e.Mechanism,
	}
}

// kind reads a kind. One that this release does not know is damage.
func (d *decoder) kind() event.Kind {
	k := event.Kind(d.byte())
	if int(k) > len(event.Kinds()) {
		d.err = errDamaged
		return event.NoKind
	}
	return k
}
