package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"csmail/pkg/acquisition"
	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/follow"
	"csmail/pkg/hint"
	"csmail/pkg/syslogline"
)

// feed is one configured source.
type feed struct {
	source follow.Source
	kind   string // file, journalctl, syslog, stdin
	zone   *time.Location
	from   follow.Cursor
	logs   map[string]*logReader // by Batch.Source
	counts feedCounts            // guarded by the loop
}

type feedCounts struct{ read, parsed, unparsed uint64 }

// logReader parses the lines of one log of a feed.
type logReader struct {
	parser engine.Parser
	repeat engine.Repeater
	line   int64
}

// message is a batch of a feed on its way to the loop.
type message struct {
	feed  *feed
	batch follow.Batch
}

// buildFeeds makes the sources of the configuration, and refuses those that hold
// the same lines.
func (d *Daemon) buildFeeds(ctx context.Context, c config.Config) ([]*feed, error) {
	sources := c.Sources
	if len(sources) == 0 {
		found, err := defaultSource(ctx, d.options.Journal)
		if err != nil {
			return nil, err
		}
		sources = []config.Source{found}
	}
	var feeds []*feed
	var specs []follow.Spec
	names := map[string]bool{}
	for _, s := range sources {
		f, spec, err := d.buildFeed(s)
		if err != nil {
			return nil, err
		}
		if name := f.source.Name(); names[name] {
			return nil, hint.Wrap(fmt.Errorf("two sources are %q", name), "name it once, or each line would count twice")
		}
		names[f.source.Name()] = true
		feeds, specs = append(feeds, f), append(specs, spec)
	}
	if err := follow.CheckOverlap(ctx, specs); err != nil {
		return nil, err
	}
	return feeds, nil
}

func (d *Daemon) buildFeed(s config.Source) (*feed, follow.Spec, error) {
	f := &feed{kind: s.Source, logs: map[string]*logReader{}}
	var spec follow.Spec
	var err error
	if f.zone, err = s.Zone(); err != nil {
		return nil, spec, err
	}
	switch s.Source {
	case "file":
		f.source, err = follow.Files(follow.FileOptions{Globs: s.Files(), Back: historyBack, Logger: d.log})
		spec = follow.Spec{Globs: s.Files()}
	case "journalctl":
		o := follow.JournalOptions{Filter: s.JournalctlFilter, Back: historyBack, Command: d.options.Journal, Logger: d.log}
		f.source = follow.Journal(o)
		spec = follow.Spec{Journal: &o}
	case "syslog":
		f.source, err = follow.Syslog(syslogOptions(s, d))
	case "stdin":
		f.source = follow.Stdin(d.options.Stdin, d.log)
	default:
		err = fmt.Errorf("source %q is none", s.Source)
	}
	if err != nil {
		return nil, spec, err
	}
	spec.Name = f.source.Name()
	return f, spec, nil
}

func syslogOptions(s config.Source, d *Daemon) follow.SyslogOptions {
	o := follow.SyslogOptions{Network: "udp", Address: fmt.Sprintf("%s:%d", s.ListenAddr, s.ListenPort), Logger: d.log}
	if s.Protocol != "" {
		o.Network = s.Protocol
	}
	if s.Path != "" {
		o.Network, o.Address = "unixgram", s.Path
	}
	return o
}

// defaultSource is the journal if it holds mail, else the mail log of Debian or
// RHEL.
func defaultSource(ctx context.Context, command string) (config.Source, error) {
	found, err := acquisition.Default(ctx, acquisition.JournalOptions{Command: command})
	if err != nil {
		return config.Source{}, err
	}
	if acquisition.IsJournal(found) {
		return config.Source{Source: "journalctl"}, nil
	}
	return config.Source{Source: "file", Filenames: []string{found.Name()}}, nil
}

// parse hands each record of a batch to take, which may keep it.
func (f *feed) parse(b follow.Batch, take func(*event.Record)) {
	reader := f.logs[b.Source]
	if reader == nil {
		reader = &logReader{}
		f.logs[strings.Clone(b.Source)] = reader
	}
	line := syslogline.Line{Received: b.Received, Read: b.Read, Zone: f.zone}
	var record event.Record
	for rest := b.Text; rest != ""; {
		line.Text, rest, _ = strings.Cut(rest, "\n")
		reader.line++
		line.Number = reader.line
		reader.parser.Parse(&line, &record)
		f.count(record.Outcome)
		reader.repeat.Take(&record)
		if record.Outcome >= event.Witness {
			kept := record
			take(&kept)
		}
	}
}

func (f *feed) count(o event.Outcome) {
	f.counts.read++
	switch o {
	case event.Missed, event.Ambiguous, event.NoHeader:
		f.counts.unparsed++
	default:
		f.counts.parsed++
	}
}
