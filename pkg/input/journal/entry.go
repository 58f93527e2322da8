package journal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"csmail/pkg/input"
)

// entry is a journal entry's position and place, without its message.
type entry struct {
	Cursor    string          `json:"__CURSOR"`
	Micros    string          `json:"__REALTIME_TIMESTAMP"`
	Unit      json.RawMessage `json:"_SYSTEMD_UNIT"`
	MessageID json.RawMessage `json:"MESSAGE_ID"`
	Dropped   json.RawMessage `json:"N_DROPPED"`
	Message   json.RawMessage `json:"MESSAGE"`
}

// take judges one line of journalctl, and adds it to text if it is a new entry.
func (j *journal) take(line []byte, text *bytes.Buffer) {
	e, ok := parseEntry(line)
	if !ok {
		return // "-- No entries --", "-- Boot … --"
	}
	micros, _ := strconv.ParseInt(e.Micros, 10, 64)
	if j.resumed {
		j.resumed = false
		if j.at.same(e.Cursor) {
			return
		}
		j.lose("")
	}
	if micros <= j.skipTo && j.skipTo > 0 && j.at.Entry != "" {
		return
	}
	j.skipTo = 0
	j.at = journalCursor{Entry: e.Cursor, Micros: micros}
	if plain(e.MessageID) == suppressedID {
		j.suppressed(e)
		return
	}
	if unit := plain(e.Unit); unit != "" && len(j.units) < maxUnits {
		j.units[unit] = true
	}
	if len(line) > input.MaxLine {
		j.Drop(input.DropCut, 1) // half an object is no line
		return
	}
	text.Write(line)
}

// maxUnits bounds the units that are remembered.
const maxUnits = 1024

// parseEntry reads the few fields without the rest.
func parseEntry(line []byte) (entry, bool) {
	var e entry
	if !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(line, &e) != nil {
		return e, false
	}
	return e, e.Cursor != ""
}

// suppressed counts the messages that journald's rate limit dropped from a unit that
// logs mail: "Suppressed N messages from UNIT" (systemd v252
// src/journal/journald-server.c).
func (j *journal) suppressed(e entry) {
	words := strings.Fields(plain(e.Message))
	if len(words) < 5 || words[0] != "Suppressed" {
		return
	}
	n, err := strconv.ParseInt(words[1], 10, 64)
	unit := words[len(words)-1]
	mail := j.units[unit] || strings.HasPrefix(unit, "postfix") || strings.HasPrefix(unit, "dovecot")
	if err != nil || n <= 0 || !mail {
		return
	}
	j.Drop(input.DropSuppressed, n)
	j.Log.Warn("journald dropped messages; see RateLimitBurst in journald.conf(5)", "unit", unit, "messages", n)
}

// plain returns a JSON string, or "" for any other value.
func plain(raw json.RawMessage) string {
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
