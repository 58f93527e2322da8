package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/delivery"
	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// The times for which trouble lasts before the daemon counts as unwell. Shorter trouble
// is normal, for example while a log is rotated, or while journalctl or the LAPI
// restarts.
const (
	sourceGrace = 20 * time.Second
	lapiGrace   = 2 * time.Minute
	// silence is the time without a line after which the mail log is likely the wrong
	// file: a server on the Internet has a client at least every hour.
	silence = 24 * time.Hour
)

// health remembers since when each source is not followed.
type health struct {
	unfollowed map[string]time.Time // by the name of the source
}

// watch notes the states of the sources.
func (h *health) watch(sources []control.Source, now time.Time) {
	before := h.unfollowed
	h.unfollowed = map[string]time.Time{}
	for _, s := range sources {
		if s.State == string(input.Following) {
			continue
		}
		h.unfollowed[s.Name] = now
		if since, ok := before[s.Name]; ok {
			h.unfollowed[s.Name] = since
		}
	}
}

// troubles describes the reasons why the daemon cannot work. grace scales the times of
// trouble, and is 1 except in tests.
func (h *health) troubles(s control.Status, failing lapiFailure, now time.Time, grace float64) []string {
	all := []string{}
	if s.State.Error != "" {
		all = append(all, "what is read cannot be stored: "+s.State.Error)
	}
	for _, source := range s.Sources {
		since, bad := h.unfollowed[source.Name]
		last := cmp.Or(source.LastLine, s.Started)
		if last.Before(s.Started) {
			last = s.Started
		}
		switch {
		case bad && now.Sub(since) >= share(sourceGrace, grace) && source.Error != "":
			all = append(all, fmt.Sprintf("%s is not read: %s", source.Name, source.Error))
		case bad && now.Sub(since) >= share(sourceGrace, grace):
			all = append(all, fmt.Sprintf("%s is not there, so nothing is read of it", source.Name))
		case !bad && source.Lag > 0 && now.Sub(last) >= share(sourceGrace, grace):
			all = append(all, fmt.Sprintf("%s is %d bytes behind, and no line of it was read since %s", source.Name, source.Lag, last.Format(time.RFC3339)))
		}
	}
	if quiet := newest(s); now.Sub(quiet) >= share(silence, grace) && len(s.Sources) > 0 && len(all) == 0 {
		all = append(all, fmt.Sprintf("no line was read since %s: is mail still logged where csmail reads?", quiet.Format(time.RFC3339)))
	}
	if !failing.since.IsZero() && now.Sub(failing.since) >= share(lapiGrace, grace) {
		all = append(all, fmt.Sprintf("the LAPI has not been reached since %s: %s", failing.since.Format(time.RFC3339), failing.why))
	}
	return all
}

// share returns a part of a time.
func share(d time.Duration, part float64) time.Duration { return time.Duration(float64(d) * part) }

// newest returns the time of the newest line of all sources, or of the start if there was
// none.
func newest(s control.Status) time.Time {
	at := s.Started
	for _, source := range s.Sources {
		if source.LastLine.After(at) {
			at = source.LastLine
		}
	}
	return at
}

// lapiFailure says since when no request to the LAPI succeeds, and why. It is zero while
// requests succeed.
type lapiFailure struct {
	since time.Time
	why   string
}

// failureOf returns the older one of the failures of sender and heartbeat, because with
// an empty outbox only the heartbeat asks the LAPI.
func failureOf(sent delivery.Stats, heartbeat *delivery.Presence) lapiFailure {
	var all []lapiFailure
	if !sent.FailingSince.IsZero() {
		all = append(all, lapiFailure{since: sent.FailingSince, why: sent.LastError})
	}
	if f := heartbeat.Failure(); f.Err != nil {
		all = append(all, lapiFailure{f.Since, f.Err.Error()})
	}
	if len(all) == 0 {
		return lapiFailure{}
	}
	return slices.MinFunc(all, func(a, b lapiFailure) int { return a.since.Compare(b.since) })
}

// checkHealth adds the troubles to a status.
func (d answers) checkHealth(s *control.Status) {
	now, failing := time.Now(), failureOf(d.sent(), d.presence)
	d.health.watch(s.Sources, now)
	if s.LAPI.Error == "" {
		s.LAPI.Error = failing.why
	}
	if f := d.presence.Failure(); f.Err != nil && f.Err.Error() == s.LAPI.Error {
		s.LAPI.Hint = hint.Of(f.Err) // the sender knows only the words
	}
	s.Troubles = append(d.health.troubles(*s, failing, now, cmp.Or(d.options.Grace, 1)), clusterTroubles(s.Cluster, now)...)
}
