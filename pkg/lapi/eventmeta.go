package lapi

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// maxEventMeta is the limit of the LAPI for the JSON of an event's meta, in bytes
// (pkg/database/ent/schema/event.go, v1.7.8). It cuts values of a longer one in the
// middle, or drops it altogether.
const maxEventMeta = 8191

// maxOtherMeta bounds the bytes of all values but the log line.
const maxOtherMeta = 4096

// eventMeta returns the details of one event that stay on this host. User name and mail
// addresses are here and nowhere else.
func eventMeta(e event.Event) models.Meta {
	meta := models.Meta{}
	add := func(key, value string) {
		if value != "" {
			meta = append(meta, &models.MetaItems0{Key: key, Value: clean(value)})
		}
	}
	add("kind", e.Kind.String())
	add("class", e.Kind.Class().String())
	add("service", e.Service.String())
	add("program", e.Program)
	if e.Addr.IsValid() {
		add("source_ip", e.Addr.Unmap().String())
	}
	add("username", e.User)
	add("sender", e.Sender)
	add("recipient", e.Recipient)
	add("helo", e.Helo)
	add("client_name", e.ClientName)
	add("code", e.Code)
	add("reason", e.Reason)
	shrink(meta, maxOtherMeta)
	return withLogLine(meta, clean(e.Message))
}

// withLogLine adds as much of the message as there is room for.
func withLogLine(meta models.Meta, message string) models.Meta {
	if message == "" {
		return meta
	}
	item := &models.MetaItems0{Key: "log_line", Value: message}
	meta = append(meta, item)
	if jsonSize(meta) <= maxEventMeta {
		return meta
	}
	tooLong := sort.Search(len(message), func(n int) bool {
		item.Value = cut(message, n)
		return jsonSize(meta) > maxEventMeta
	})
	item.Value = cut(message, tooLong-1)
	return meta
}

// shrink halves the longest value until the meta fits.
func shrink(meta models.Meta, limit int) {
	for jsonSize(meta) > limit {
		longest := meta[0]
		for _, item := range meta {
			if len(item.Value) > len(longest.Value) {
				longest = item
			}
		}
		longest.Value = cut(longest.Value, len(longest.Value)/2)
	}
}

// jsonSize measures as the LAPI does.
func jsonSize(meta models.Meta) int {
	text, err := json.Marshal(meta)
	if err != nil {
		return 0 // texts always marshal
	}
	return len(text)
}

// cut returns at most n bytes of a text and no half rune.
func cut(text string, n int) string {
	n = max(n, 0)
	if n >= len(text) {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// clean makes text from a client safe for JSON and for the terminal on which cscli shows
// it.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
