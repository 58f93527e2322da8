package lapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Keys of the alert's meta that csmail itself reads again.
const (
	metaID   = "csmail_id"   // says which alert it is, however often it is sent
	metaLast = "csmail_last" // time of the last event that it counted
)

// The prefix length of a Range alert's value.
const (
	rangeBits4 = 24
	rangeBits6 = 64
)

// valueOf returns what CrowdSec is told to act on, in canonical form: LAPI
// stores values as they come.
func valueOf(a event.Alert) string {
	addr := a.Source.Unmap().WithZone("")
	if a.Scope != event.ScopeRange {
		return addr.String()
	}
	bits := rangeBits6
	if addr.Is4() {
		bits = rangeBits4
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}

// check tells what makes an alert impossible to send.
func check(a event.Alert) error {
	if a.Scenario == "" {
		return errors.New("the alert has no scenario")
	}
	if a.Scope != event.ScopeIP && a.Scope != event.ScopeRange {
		return fmt.Errorf("the alert's scope is %q, not Ip or Range", a.Scope)
	}
	if !a.Source.IsValid() {
		return errors.New("the alert has no source address")
	}
	if a.First.IsZero() || a.Last.IsZero() {
		return errors.New("the alert has no time")
	}
	return nil
}

// idOf returns the alert's csmail_id: the same for the same finding, whoever
// works it out, and whenever.
func idOf(a event.Alert) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		a.Scenario, string(a.Scope), valueOf(a), timeText(a.First), timeText(a.Last),
	}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// toModel makes CrowdSec's alert. A decision ends at stop_at plus its duration,
// so stop_at is now: a ban for events of yesterday would be born expired. The
// events keep their own times.
//
// Hash and version of the scenario stay empty. With them the alert would go to
// CrowdSec's central API as a certified one.
func toModel(a event.Alert, o PushOptions) *models.Alert {
	value := valueOf(a)
	alert := &models.Alert{
		Scenario:        &a.Scenario,
		ScenarioHash:    new(""),
		ScenarioVersion: new(""),
		Message:         new(messageOf(a, value)),
		Capacity:        new(int32(0)), // as cscli sends it: the bucket stays ours
		Leakspeed:       new("0"),
		EventsCount:     new(int32(min(a.Count, math.MaxInt32))),
		Remediation:     true,
		Simulated:       new(o.Simulate),
		StartAt:         new(timeText(earlier(a.First, o.Now))),
		StopAt:          new(timeText(o.Now)),
		Source:          sourceOf(a, value),
		Kind:            "crowdsec",
		Meta:            alertMeta(a),
		Events:          make([]*models.Event, 0, len(a.Evidence)), // LAPI takes no null
	}
	for _, e := range a.Evidence {
		alert.Events = append(alert.Events, &models.Event{Timestamp: new(timeText(e.Time)), Meta: eventMeta(e)})
	}
	if o.Duration > 0 {
		alert.Decisions = []*models.Decision{{
			Duration: new(o.Duration.String()),
			// Bouncers choose by the origin's exact name, and many know only CrowdSec's.
			Origin:    new("crowdsec"),
			Scenario:  &a.Scenario,
			Scope:     new(string(a.Scope)),
			Type:      new("ban"),
			Value:     &value,
			Simulated: new(o.Simulate),
		}}
	}
	return alert
}

func messageOf(a event.Alert, value string) string {
	if a.Message != "" {
		return clean(a.Message)
	}
	return fmt.Sprintf("%s %s performed %s, %d times", a.Scope, value, a.Scenario, a.Count)
}

func sourceOf(a event.Alert, value string) *models.Source {
	source := &models.Source{Scope: new(string(a.Scope)), Value: &value}
	if a.Scope == event.ScopeRange {
		source.Range = value
		return source
	}
	source.IP = value
	return source
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// alertMeta is the context that cscli alerts inspect shows. cscli demands that
// each value is a JSON list of texts.
func alertMeta(a event.Alert) models.Meta {
	kinds := make([]string, 0, len(a.Kinds))
	for _, k := range a.Kinds {
		kinds = append(kinds, k.Name+": "+strconv.Itoa(k.N))
	}
	var meta models.Meta
	for _, item := range []struct {
		key    string
		values []string
	}{
		{metaID, []string{idOf(a)}},
		{metaLast, []string{timeText(a.Last)}},
		{"kinds", kinds},
		{"services", a.Services},
	} {
		if len(item.values) > 0 {
			meta = append(meta, &models.MetaItems0{Key: item.key, Value: listText(item.values)})
		}
	}
	return meta
}

func listText(values []string) string {
	text, err := json.Marshal(values)
	if err != nil {
		return "[]" // no list of texts fails
	}
	return string(text)
}

// metaValue returns the first text of an alert meta value, "" if the key is not
// there.
func metaValue(meta models.Meta, key string) string {
	for _, item := range meta {
		if item == nil || item.Key != key {
			continue
		}
		var values []string
		if json.Unmarshal([]byte(item.Value), &values) == nil && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
