package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

// loginsBefore is how much further back than --since the journal is read, since an
// earlier login is a proof for its source. Files are read whole.
const loginsBefore = 24 * time.Hour

// inputOptions are the flags that select the logs and the lines of interest.
type inputOptions struct {
	since, until, timezone string
	ips                    []string
	journal                bool
	journalFile            string
	quiet                  bool
	envelope               string
	trusted                []string
}

// addFlags adds the flags that all commands over logs share.
func (o *inputOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.since, "since", "", "only what happened since: 24h, 7d, today, yesterday, or a date")
	f.StringVar(&o.until, "until", "", "only what happened before: 1h, or a date")
	f.StringSliceVarP(&o.ips, "ip", "i", nil, "only this address or network; may be repeated")
	f.StringVar(&o.timezone, "timezone", "", "zone of the times shown and of log lines that name none, like Europe/Berlin (default the host's)")
	f.BoolVar(&o.journal, "journal", false, "read the journal, whatever files there are")
	f.StringVar(&o.journalFile, "journal-file", "", "read this journal file")
	f.StringVar(&o.envelope, "envelope", "", "docker: read the lines of containers that stand inside other lines (docs/inputs.md)")
	f.StringSliceVar(&o.trusted, "trusted", nil, "believe journal entries of this writer too: _UID=5000, _SYSTEMD_UNIT=mail.service, _EXE=/usr/bin/conmon, or all")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no summary on stderr")
}

// reading is the result of these flags.
type reading struct {
	inputOptions
	zone       *time.Location
	lines      *logline.Reading // how lines are read
	scope      report.Scope
	sources    []config.Source // of the configuration: read if no log is named
	readAs     []config.Source // of the configuration: they say how their logs are read, if no flag does
	mayBeEmpty bool            // the journal, in the time asked for
}

// check resolves the flags.
func (o inputOptions) check(files []string, now time.Time) (reading, error) {
	in := reading{inputOptions: o, zone: time.Local}
	if (o.journal || o.journalFile != "") && len(files) > 0 {
		return in, usageError{hint.Wrap(fmt.Errorf("both the journal and files are named"), "name one of them; a line that stands in both would count twice")}
	}
	if o.timezone != "" {
		zone, err := parseZone(o.timezone)
		if err != nil {
			return in, usageError{err}
		}
		in.zone = zone
	}
	lines, err := ingest.ReadingOf(config.Source{Envelope: o.envelope, Trusted: o.trusted})
	if err != nil {
		return in, usageError{err}
	}
	in.lines = lines
	if err := in.readTimes(now); err != nil {
		return in, usageError{err}
	}
	for _, text := range o.ips {
		p, err := config.ParseNetwork(text)
		if err != nil {
			return in, usageError{hint.Wrap(fmt.Errorf("--ip: %w", err), "%s", ipHint(text))}
		}
		in.scope.Only = append(in.scope.Only, p)
	}
	return in, nil
}

// ipHint describes the values of --ip. A text without a digit, or with an @, is likely a
// login name.
func ipHint(text string) string {
	advice := "write it like 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
	if strings.Contains(text, "@") || !strings.ContainsAny(text, "0123456789") {
		advice = "it looks like a login name: csmail scan --user " + text + "; an address is written like 192.0.2.1"
	}
	return advice
}

// readTimes resolves --since, --until and the time zone.
func (in *reading) readTimes(now time.Time) (err error) {
	if in.scope.Since, err = parseWhen(in.since, now, in.zone); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	if in.scope.Until, err = parseWhen(in.until, now, in.zone); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	since, until := in.scope.Since, in.scope.Until
	if since.After(now) {
		return hint.Wrap(fmt.Errorf("--since %s is in the future: the clock shows %s", in.since, now.In(in.zone).Format("2006-01-02 15:04 MST")),
			"a duration counts back from now: --since 24h; is the clock right? date")
	}
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return hint.Wrap(fmt.Errorf("--since %s is not before --until %s", in.since, in.until),
			"as durations both count back from now: --since 2h --until 1h")
	}
	return nil
}

// open opens the named logs, or the configured ones, or those of the system.
func (in reading) open(ctx context.Context, files []string, std Streams) ([]archive.Input, error) {
	journal := archive.JournalOptions{Until: in.scope.Until, File: in.journalFile, MayBeEmpty: in.mayBeEmpty}
	if !in.scope.Since.IsZero() {
		journal.Since = in.scope.Since.Add(-loginsBefore)
	}
	if in.journal || in.journalFile != "" {
		return []archive.Input{archive.Journal(journal)}, nil
	}
	if len(files) > 0 {
		return archive.Files(files, std.In)
	}
	if sources, err := configured(in.sources, journal, std); err != nil || len(sources) > 0 {
		return sources, err
	}
	source, err := archive.Default(ctx, journal)
	if err != nil {
		return nil, err
	}
	return []archive.Input{source}, nil
}

// configured returns the logs that csmail run follows in their present state: files, and
// the journal. Sources that only listen, for example syslog over UDP, have nothing to
// read.
func configured(sources []config.Source, journal archive.JournalOptions, std Streams) (all []archive.Input, err error) {
	var files []string
	for _, s := range sources {
		switch s.Source {
		case "journalctl":
			all = append(all, archive.Journal(journal))
		case "file":
			for _, glob := range s.Files() {
				paths, err := filepath.Glob(glob)
				if err != nil {
					return nil, configError{fmt.Errorf("file name %q: %w", glob, err)}
				}
				files = append(files, paths...)
			}
		}
	}
	if len(files) == 0 {
		return all, nil
	}
	slices.Sort(files)
	found, err := archive.Files(slices.Compact(files), std.In)
	return append(all, found...), err
}

// replay reads the files, or the default logs, and shows progress on a terminal.
func (in reading) replay(ctx context.Context, files []string, o replay.Options, std Streams) (replay.Tally, error) {
	sources, err := in.open(ctx, files, std)
	if err != nil {
		return replay.Tally{}, err
	}
	o.Zone, o.Reading = in.zone, in.lines
	if o.Of, err = in.asConfigured(); err != nil {
		return replay.Tally{}, err
	}
	if isTerminal(std.Err) {
		meter := render.NewMeter(std.Err, time.Now)
		defer meter.Clear()
		o.Progress = meter.Show
	}
	return replay.Run(ctx, sources, o)
}
