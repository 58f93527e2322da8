// Package ingest opens the inputs of a configuration, and turns the lines of each into
// records.
//
// Besides parsing it does two things that need the neighbouring lines. The repetitions of
// classic syslog ("last message repeated 3 times") get the message that they repeat, also
// if the process was restarted between the two lines. And two inputs that hold the same
// lines are an error, because each line would count twice: for example mail.log and the
// journal of the same host.
//
// The package steps nothing and stores nothing.
package ingest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/input/archive"
	"csmail/pkg/input/file"
	"csmail/pkg/input/journal"
	"csmail/pkg/input/syslog"
	"csmail/pkg/logline"
)

// Feed is one source with the state that reading its lines needs. Use Parse from one
// goroutine at a time.
type Feed struct {
	Input  input.Input
	Kind   string // as the configuration names it: file, journalctl, syslog, stdin
	Counts Counts // of the parsed lines; read it only from the goroutine that calls Parse
	Flows  bool   // records also carry the flow of a mail

	zone    *time.Location
	reading *logline.Reading
	log     *slog.Logger       // nil logs nothing
	logs    map[string]*reader // by Batch.Log
	reach   reach
	before  readBefore
	room    []event.Flow // for the next ones
}

// Counts are lines since a feed was opened. Unparsed ones are of daemons that we
// know and of no known form, or have no header; the others count as parsed.
type Counts struct {
	Read, Parsed, Unparsed uint64
	Again                  uint64 // offences that a source of another kind had read before; not handed out
}

func (c *Counts) add(o event.Outcome) {
	c.Read++
	switch o {
	case event.Missed, event.Ambiguous, event.NoHeader:
		c.Unparsed++
	default:
		c.Parsed++
	}
}

// reader reads the lines of one log.
type reader struct {
	engine.Reader
	remarks remarks
}

// Options are the settings of feeds besides their configuration.
type Options struct {
	Back    time.Duration // how far a first start reads back; 0: begin at the end
	Journal string        // the command, journalctl if ""
	Stdin   io.Reader
	Logger  *slog.Logger     // nil logs nothing
	Now     func() time.Time // the present time, for files; time.Now if nil
}

// Open makes the feeds of sources, without any the journal or the mail log of
// Debian or RHEL. Sources that hold the same lines are refused.
func Open(ctx context.Context, sources []config.Source, o Options) ([]*Feed, error) {
	if len(sources) == 0 {
		found, err := byDefault(ctx, o.Journal)
		if err != nil {
			return nil, err
		}
		sources = []config.Source{found}
	}
	var feeds []*Feed
	var specs []spec
	names := map[string]bool{}
	for _, s := range sources {
		f, p, err := open(s, o)
		if err != nil {
			return nil, err
		}
		if names[p.Name] {
			return nil, hint.Wrap(fmt.Errorf("two sources are %q", p.Name), "name it once, or each line would count twice")
		}
		names[p.Name] = true
		feeds, specs = append(feeds, f), append(specs, p)
	}
	if err := checkOverlap(ctx, specs); err != nil {
		return nil, err
	}
	return feeds, nil
}

func byDefault(ctx context.Context, journal string) (config.Source, error) {
	found, err := archive.Default(ctx, archive.JournalOptions{Command: journal})
	if err != nil {
		return config.Source{}, err
	}
	if archive.IsJournal(found) {
		return config.Source{Source: "journalctl"}, nil
	}
	return config.Source{Source: "file", Filenames: []string{found.Name()}}, nil
}

func open(s config.Source, o Options) (*Feed, spec, error) {
	f := &Feed{Kind: s.Source, log: o.Logger, logs: map[string]*reader{}}
	var p spec
	var err error
	if f.zone, err = s.Zone(); err != nil {
		return nil, p, err
	}
	if f.reading, err = ReadingOf(s); err != nil {
		return nil, p, err
	}
	switch s.Source {
	case "file":
		f.Input, err = file.New(file.Options{Globs: s.Files(), Back: o.Back, Logger: o.Logger, Now: o.Now})
		p.Globs = s.Files()
	case "journalctl":
		options := journal.Options{Filter: s.JournalctlFilter, Back: o.Back, Command: o.Journal, Logger: o.Logger}
		f.Input, p.Journal = journal.New(options), &options
	case "syslog":
		f.Input, err = syslog.New(syslogOptions(s, o.Logger))
	case "stdin":
		f.Input = file.Stdin(o.Stdin, o.Logger)
	default:
		err = fmt.Errorf("unknown source type %q", s.Source)
	}
	if err != nil {
		return nil, p, err
	}
	p.Name = f.Input.Name()
	return f, p, nil
}

func syslogOptions(s config.Source, logger *slog.Logger) syslog.Options {
	o := syslog.Options{Network: "udp", Address: fmt.Sprintf("%s:%d", s.ListenAddr, s.ListenPort), Logger: logger}
	if s.Protocol != "" {
		o.Network = s.Protocol
	}
	if s.Path != "" {
		o.Network, o.Address = "unixgram", s.Path
	}
	return o
}

// Parse calls take with each record of a batch. take must not keep the record.
func (f *Feed) Parse(b input.Batch, take func(*event.Record)) {
	log := f.readerOf(b.Log)
	log.Line.Received, log.Line.Read, log.Line.Zone, log.Line.Reading = b.Received, b.Read, f.zone, f.reading
	var record event.Record
	var line string
	for rest := b.Text; rest != ""; {
		line, rest, _ = strings.Cut(rest, "\n")
		log.Next(line, &record)
		log.passOver(&record)
		log.remarks.see(record.Outcome)
		f.Counts.add(record.Outcome)
		if record.Outcome >= event.Witness {
			f.reach.take(&record)
			if f.before.holds(&record) {
				f.Counts.Again++
				continue
			}
		}
		if f.Flows {
			f.readFlow(log, &record)
		}
		take(&record)
	}
	log.Line.Text = "" // the batch may go
	f.remark(b.Log, log)
}

// readFlow gives a record its Flow, which is the caller's to keep as long as the
// text of the batch.
func (f *Feed) readFlow(log *reader, record *event.Record) {
	const chunk = 32
	if len(f.room) == 0 {
		f.room = make([]event.Flow, chunk)
	}
	if log.Parser.ParseFlow(&log.Line, record, &f.room[0]) {
		record.Flow, f.room = &f.room[0], f.room[1:]
	}
}

// readerOf returns the reader of one log of the feed.
func (f *Feed) readerOf(name string) *reader {
	log := f.logs[name]
	if log == nil {
		log = &reader{}
		f.logs[strings.Clone(name)] = log
	}
	return log
}
