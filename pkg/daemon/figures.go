package daemon

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/delivery"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/lapi"
)

// tally counts the work of the feeds and the sender, over all reloads and runs.
type tally struct {
	feeds    []*ingest.Feed
	sender   *delivery.Sender   // nil before the first configuration is in use
	presence *delivery.Presence // remembers over reloads its reports to the LAPI
	before   figures            // counts of feeds and senders that a reload replaced
	earlier  control.Total      // counts of the runs before
}

// counted returns the counts of this run and the earlier ones. dropped is the number of
// alerts of this run that had no room.
func (t *tally) counted(dropped uint64) control.Total {
	all := t.earlier
	for _, c := range t.before.totals(t.feeds) {
		all.Lines += int64(c.lines.Read)
		all.Missed += int64(c.lines.Unparsed)
	}
	if t.sender != nil {
		all.Delivered += t.sent().Delivered
	}
	all.Dropped += dropped
	return all
}

// figures are the counts of feeds and senders that a reload replaced, so that the counts
// of a run continue over its reloads.
type figures struct {
	sources map[string]counted // by the name of the source
	sent    delivery.Stats
}

// counted is the count of the lines of one source.
type counted struct {
	kind  string // as the configuration names it
	lines ingest.Counts
	drops map[string]int64 // lines lost, by reason
	last  time.Time        // time of the newest line, zero if there was none
}

// total returns the counts of a feed's source since the start.
func (b *figures) total(f *ingest.Feed) counted {
	st := f.Input.Status()
	t := b.sources[st.Name]
	t.kind = f.Kind
	t.lines.Read += f.Counts.Read
	t.lines.Parsed += f.Counts.Parsed
	t.lines.Unparsed += f.Counts.Unparsed
	t.drops = maps.Clone(t.drops)
	if t.drops == nil {
		t.drops = map[string]int64{}
	}
	for reason, n := range st.Drops {
		t.drops[reason] += n
	}
	if !st.LastLine.IsZero() {
		t.last = st.LastLine
	}
	return t
}

// totals returns the counts of all sources that were followed since the start, by their
// names.
func (b *figures) totals(feeds []*ingest.Feed) map[string]counted {
	all := maps.Clone(b.sources)
	if all == nil {
		all = map[string]counted{}
	}
	for _, f := range feeds {
		all[f.Input.Name()] = b.total(f)
	}
	return all
}

// statuses returns the states of the inputs that are followed.
func (b *figures) statuses(feeds []*ingest.Feed) []control.Source {
	all := []control.Source{}
	for _, f := range feeds {
		all = append(all, b.status(f))
	}
	return all
}

// status returns the state of one input, with the counts of the whole run.
func (b *figures) status(f *ingest.Feed) control.Source {
	st, t := f.Input.Status(), b.total(f)
	s := control.Source{Name: st.Name, State: string(st.State), Lines: int64(t.lines.Read), Lag: st.Lag, LastLine: t.last, Drops: t.drops}
	if st.Err != nil {
		s.Error, s.Hint = st.Err.Error(), hint.Of(st.Err)
	}
	return s
}

// retire adds the counts of feeds that are closed, and of the sender, to those that are
// kept.
func (b *figures) retire(feeds []*ingest.Feed, sent delivery.Stats) {
	*b = figures{b.totals(feeds), sent}
}

// isFollowed reports whether a source of this name is followed now.
func isFollowed(feeds []*ingest.Feed, name string) bool {
	return slices.ContainsFunc(feeds, func(f *ingest.Feed) bool { return f.Input.Name() == name })
}

// sent returns the counts of alerts since the start.
func (t *tally) sent() delivery.Stats { return t.sender.Stats().After(t.before.sent) }

// usage returns the counts of each source since the start. It may be called outside of
// the loop.
func (d *Daemon) usage(ctx context.Context) (all []lapi.SourceUsage) {
	if err := d.ask(ctx, func() { all = d.usageNow() }); err != nil {
		return nil
	}
	return all
}

func (t *tally) usageNow() (all []lapi.SourceUsage) {
	totals := t.before.totals(t.feeds)
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		c := totals[name]
		all = append(all, lapi.SourceUsage{
			Source: name, Type: c.kind, Gone: !isFollowed(t.feeds, name),
			Read: c.lines.Read, Parsed: c.lines.Parsed, Unparsed: c.lines.Unparsed,
		})
	}
	return all
}

// leaveWithin bounds the time of the last report to the LAPI.
const leaveWithin = time.Second

// usageNote is the name under which the state file keeps counts that were not reported to
// the LAPI yet.
const usageNote = "usage"

// recallUsage reads the counts that the previous run could not report. The start goes on
// without them.
func (w *stateWriter) recallUsage(into *delivery.Unreported) {
	data, err := w.store.Kept(usageNote)
	if err == nil && data != nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		w.log.Warn("how many lines were read before cannot be read", "error", err)
	}
}

func (w *stateWriter) forgetUsage() { w.keepUsage(nil) }

func (w *stateWriter) keepUsage(data []byte) {
	if err := w.store.Keep(usageNote, data); err != nil {
		w.log.Warn("how many lines were read cannot be stored", "error", err, "hint", hint.Of(err))
	}
}

// leave reports the lines since the last report to the LAPI, or keeps their count for the
// next start.
func (d *Daemon) leave() {
	d.workers.stop()
	if !d.config.Detect {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	totals := d.usageNow()
	err := d.presence.Leave(ctx, totals)
	if err == nil {
		return
	}
	d.log.Info("the LAPI is told at the next start how many lines were read since the last report", "error", err)
	if data, err := json.Marshal(d.presence.Unreported(totals)); err == nil { // it always marshals
		d.keepUsage(data)
	}
}
