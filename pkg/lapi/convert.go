package lapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Keys of the alert's meta that csmail itself reads again.
const (
	metaID   = "csmail_id"   // identifies the alert, and stays the same when it is sent again
	metaLast = "csmail_last" // time of the last event that it counted
)

// maxAlertMeta is how many bytes the LAPI takes in one value of an alert's meta
// (pkg/database/ent/schema/meta.go, v1.7.8).
const maxAlertMeta = 4095

// Check returns an error if an alert cannot be sent.
func Check(a event.Alert) error {
	if a.Scenario == "" {
		return errors.New("the alert has no scenario")
	}
	switch a.Scope {
	case event.ScopeIP, event.ScopeRange:
		if !a.Source.IsValid() {
			return errors.New("the alert has no source address")
		}
	case event.ScopeAccount:
		if a.Account == "" {
			return errors.New("the alert has no account")
		}
	default:
		return fmt.Errorf("the alert's scope is %q, not Ip, Range or Username", a.Scope)
	}
	if a.First.IsZero() || a.Last.IsZero() {
		return errors.New("the alert has no time")
	}
	return nil
}

// idOf returns the alert's csmail_id. Each renewal of a ban is an alert of its own.
func idOf(a event.Alert, o PushOptions) string {
	if o.Renewal == 0 {
		return a.ID()
	}
	return fmt.Sprintf("%s-%d", a.ID(), o.Renewal)
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
		Capacity:        new(int32(0)), // as cscli sends it: the bucket stays in csmail
		Leakspeed:       new("0"),
		EventsCount:     new(int32(min(a.Count, math.MaxInt32))),
		Remediation:     !a.Informational,
		Simulated:       new(o.Simulate),
		StartAt:         new(timeText(earlier(a.First, o.Now))),
		StopAt:          new(timeText(o.Now)),
		Source:          sourceOf(a, value),
		Kind:            "crowdsec",
		Meta:            alertMeta(a, o),
		Events:          make([]*models.Event, 0, len(a.Evidence)), // LAPI takes no null
	}
	for _, e := range a.Evidence {
		alert.Events = append(alert.Events, &models.Event{Timestamp: new(timeText(e.Time)), Meta: eventMeta(e)})
	}
	if o.Duration > 0 && !a.Informational && a.Scope != event.ScopeAccount { // nothing enforces a ban on an account
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

// maxValue is how many bytes of a source's value every database of the LAPI's keeps
// (pkg/database/ent/schema/alert.go, v1.7.8: a string, on MySQL of 255 characters).
const maxValue = 255

// valueOf returns the alert's value as the LAPI can store it and cscli can show it. The
// value of an account alert was written by a client.
func valueOf(a event.Alert) string {
	if a.Scope != event.ScopeAccount {
		return a.Value()
	}
	return cut(clean(a.Account), maxValue)
}

// messageOf returns the message of an alert, with the value in front if it lacks it.
func messageOf(a event.Alert, value string) string {
	if a.Message != "" {
		return clean(a.Message)
	}
	if a.Scope == event.ScopeAccount {
		value = "of this host" // no user name in a message
	}
	return fmt.Sprintf("%s %s performed %s, %d times", a.Scope, value, a.Scenario, a.Count)
}

// sourceOf returns the source of an alert in the LAPI's form.
func sourceOf(a event.Alert, value string) *models.Source {
	source := &models.Source{Scope: new(string(a.Scope)), Value: &value}
	switch a.Scope {
	case event.ScopeRange:
		source.Range = value
	case event.ScopeIP:
		source.IP = value
	}
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
func alertMeta(a event.Alert, o PushOptions) models.Meta {
	kinds := make([]string, 0, len(a.Kinds))
	for _, k := range a.Kinds {
		kinds = append(kinds, k.Name+": "+strconv.Itoa(k.N))
	}
	var meta models.Meta
	for _, item := range []struct {
		key    string
		values []string
	}{
		{metaID, []string{idOf(a, o)}},
		{metaLast, []string{timeText(a.Last)}},
		{"kinds", kinds},
		{"services", a.Services},
		{"guard", a.Checks},
		{"hosts", hostsOf(a.Evidence)},
	} {
		if len(item.values) > 0 {
			meta = append(meta, &models.MetaItems0{Key: item.key, Value: listText(item.values)})
		}
	}
	return meta
}

// hostsOf says on which of our hosts the attempts were seen, the one with the most first:
// "mx7: 8 of 10 attempts". It counts those whose lines the alert holds, the latest ones.
func hostsOf(evidence []event.Event) (texts []string) {
	counts, all := map[string]int{}, 0
	for i := range evidence {
		if e := &evidence[i]; e.Host != "" {
			counts[e.Host] += max(e.Attempts, 1)
			all += max(e.Attempts, 1)
		}
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for _, name := range names {
		texts = append(texts, fmt.Sprintf("%s: %d of %d attempts", name, counts[name], all))
	}
	return texts
}

// listText leaves out the last texts of a list that the LAPI would cut.
func listText(values []string) string {
	for n := len(values); n > 0; n-- {
		cleaned := make([]string, 0, n)
		for _, v := range values[:n] {
			cleaned = append(cleaned, clean(v))
		}
		text, err := json.Marshal(cleaned)
		if err == nil && len(text) <= maxAlertMeta {
			return string(text)
		}
	}
	return "[]"
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
