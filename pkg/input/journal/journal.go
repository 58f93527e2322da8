// Package journal follows systemd's journal by journalctl(1). It starts journalctl again
// whenever it ends, and works across boots and under a /proc that hides the boot's ID.
// Each entry comes as a line of journalctl -o json with the fields for its message and
// its writer (systemd.journal-fields(7)). The package does not check the writer: package
// logline does.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/input/archive"
	"csmail/pkg/wire"
)

// Options select the journal and the part of it to follow.
type Options struct {
	Filter []string      // matches of journalctl(1); SYSLOG_FACILITY=2 if empty
	Back   time.Duration // how far the first start reads back; 0: from now on
	// Directory holds the journal files, as systemd-journal-remote(8) writes them;
	// "" is the host's journal. journalctl cannot follow a single file.
	Directory string
	Command   string       // journalctl unless set
	Logger    *slog.Logger // nil logs nothing

	machine string // machine-id(5) of this host; read from /etc/machine-id if ""
	clock   input.Clock
}

// suppressedID is the MESSAGE_ID with which journald reports that its rate limit dropped
// messages (SD_MESSAGE_JOURNAL_DROPPED, systemd v252 src/systemd/sd-messages.h).
const suppressedID = "a596d6fe7bfa4994828e72309e95d61e"

// journal follows the journal by a journalctl that is started again whenever it
// ends.
type journal struct {
	Options
	*input.Meter
	at      journalCursor
	units   map[string]bool // that have logged to us
	skipTo  int64           // microseconds: entries up to this time were read before; 0 skips none
	resumed bool            // the first entry should be the one of at
}

var _ input.Input = (*journal)(nil)

// New returns the journal as an input of journalctl's JSON lines.
func New(o Options) input.Input {
	if len(o.Filter) == 0 {
		o.Filter = []string{"SYSLOG_FACILITY=2"}
	}
	if o.Command == "" {
		o.Command = "journalctl"
	}
	if o.clock == nil {
		o.clock = input.WallClock{}
	}
	if o.machine == "" && o.Directory == "" {
		o.machine = machineID("/etc/machine-id")
	}
	j := &journal{Options: o, units: map[string]bool{}}
	j.Meter = input.NewMeter(j.Name(), o.Logger)
	j.SetLag(-1)
	return j
}

func (j *journal) Name() string {
	if j.Directory != "" {
		return j.Directory
	}
	return "journal"
}

// journalCursor is the Cursor of a journal.
type journalCursor struct {
	Entry  string `json:"entry,omitempty"` // __CURSOR of the last entry
	Micros int64  `json:"micros"`          // its __REALTIME_TIMESTAMP
}

// journalPrefix begins a cursor of a journal. An older csmail wrote JSON.
const journalPrefix = "journal:"

func (c journalCursor) encode() input.Cursor {
	packed, err := wire.Store(c.encodeTo)
	if err != nil {
		return "" // cannot be: it has no value that is out of range
	}
	return input.Cursor(journalPrefix + base64.StdEncoding.EncodeToString(packed))
}

func (c *journalCursor) encodeTo(w *wire.Stored) {
	w.Begin()
	w.Text(&c.Entry)
	w.Int64s(&c.Micros)
}

func decodeJournalCursor(from input.Cursor) (c journalCursor, err error) {
	text, ok := strings.CutPrefix(string(from), journalPrefix)
	if !ok {
		err = json.Unmarshal([]byte(from), &c)
		return c, err
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = wire.Load(packed, c.encodeTo)
	}
	return c, err
}

// same compares by time and content (t= and x= of a cursor, which sd-journal documents
// as opaque but writes since v38): one entry in two journal files has two cursors.
func (c journalCursor) same(entry string) bool {
	pick := func(cursor string) string {
		var kept []string
		for part := range strings.SplitSeq(cursor, ";") {
			if strings.HasPrefix(part, "t=") || strings.HasPrefix(part, "x=") {
				kept = append(kept, part)
			}
		}
		return strings.Join(kept, ";")
	}
	if c.Entry == entry {
		return true
	}
	own := pick(c.Entry)
	return own != "" && own == pick(entry)
}

func (j *journal) Follow(ctx context.Context, from input.Cursor, emit func(input.Batch) error) error {
	j.at = journalCursor{Micros: j.clock.Now().Add(-j.Back).UnixMicro()}
	if from == "" {
		if err := j.announce(emit); err != nil {
			return err
		}
	} else if at, err := decodeJournalCursor(from); err == nil {
		j.at = at
	} else {
		err = hint.Wrap(fmt.Errorf("the stored position %.80q is not one of the journal: %w", from, err),
			"was it stored by a newer csmail? without it the journal is read again")
		j.Set(input.Failing, err)
		return err
	}
	var retry input.Backoff
	for {
		before := j.at
		err := j.run(ctx, emit)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if emitted, ok := errors.AsType[*emitError](err); ok {
			return emitted.error
		}
		if j.at != before {
			retry.Succeed()
		}
		j.Set(input.Failing, err)
		j.Restarted()
		if err := input.Pause(ctx, j.clock, retry.Fail(), nil); err != nil {
			return err
		}
	}
}

// announce stores where the first start begins.
func (j *journal) announce(emit func(input.Batch) error) error {
	now := j.clock.Now()
	b := input.Batch{Log: j.Name(), Received: now, Read: now, Cursor: j.at.encode(), Lag: -1}
	j.Count(&b)
	return emit(b)
}

// emitError is an error of emit, not of the journal.
type emitError struct{ error }

// arguments are those of journalctl. The entry of the cursor is requested again, to see
// whether the journal still has it: if not, journalctl silently goes to the nearest
// entry.
//
// Without --merge, --follow implies --boot (systemd v252 and v257,
// src/journal/journalctl.c): entries from before a reboot would be lost, and journalctl
// fails where /proc/sys/kernel/random/boot_id is hidden, as under ProcSubset=pid.
// --merge also opens the journals of other hosts and of containers. The match on
// _MACHINE_ID leaves these out.
func (j *journal) arguments() []string {
	args := []string{
		"--no-pager", "--all", "--follow", "--no-tail", "--merge", "-o", "json",
		"--output-fields=" + archive.JournalFields + ",MESSAGE_ID,N_DROPPED",
	}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	if j.at.Entry != "" && j.skipTo == 0 {
		args = append(args, "--cursor="+j.at.Entry)
	} else {
		args = append(args, "--since=@"+strconv.FormatInt(j.at.Micros/1e6, 10))
	}
	return append(args, j.matches()...)
}

// matches are the alternatives that the filter names, and journald's own reports of
// dropped messages, each of this machine.
func (j *journal) matches() []string {
	var own []string
	if j.machine != "" {
		own = []string{"_MACHINE_ID=" + j.machine}
	}
	var all []string
	for _, match := range j.Filter {
		if match == "+" {
			all = append(all, own...)
		}
		all = append(all, match)
	}
	all = append(append(all, own...), "+", "MESSAGE_ID="+suppressedID)
	return append(all, own...)
}

// machineID reads the ID of this host, machine-id(5), or returns "".
func machineID(path string) string {
	text, err := os.ReadFile(path)
	id := strings.TrimSpace(string(text))
	if err != nil || len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id
}

// run reads one journalctl to its end. The end is always an error.
func (j *journal) run(ctx context.Context, emit func(input.Batch) error) error {
	j.resumed = j.at.Entry != "" && j.skipTo == 0
	if !j.resumed {
		j.skipTo = j.at.Micros
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	child := command(ctx, j.Command, j.arguments()...)
	complaint := &complaints{}
	child.Stderr = complaint
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		return hint.Wrap(fmt.Errorf("starting journalctl: %w", err), "without systemd's journal, follow the log file: sources: [{source: file, filenames: [/var/log/mail.log]}]")
	}
	settled := j.followAfter(steadyAfter)
	readErr := j.read(out, emit)
	settled()
	cancel()
	waitErr := child.Wait()
	if !errors.Is(readErr, io.EOF) {
		return readErr
	}
	said := complaint.String()
	if strings.Contains(said, "cursor") && j.resumed {
		j.lose(said)
	}
	return hint.Wrap(fmt.Errorf("journalctl ended: %w, it says %q", exitError(waitErr), said), "%s", journalHint(said))
}

// steadyAfter is how long a journalctl without a new entry must run to count as
// one that works: one that cannot read the journal ends at once.
const steadyAfter = 3 * time.Second

// followAfter enters the state Following after d, unless the returned function is
// called before.
func (j *journal) followAfter(d time.Duration) (stop func()) {
	var mu sync.Mutex
	stopped := false
	timer := time.AfterFunc(d, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			j.Set(input.Following, nil)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// command is journalctl with messages in English.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	child := exec.CommandContext(ctx, name, args...)
	child.Env = append(os.Environ(), "LC_ALL=C")
	child.WaitDelay = time.Second
	return child
}

// exitError names the end of a process that should have gone on.
func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// lose goes on by time: the journal does not have the cursor any more.
func (j *journal) lose(why string) {
	j.Drop(input.DropGone, 1)
	j.Log.Warn("the journal no longer has the last entry that was read; going on by time", "entry", j.at.Entry,
		"since", time.UnixMicro(j.at.Micros).UTC(), "journalctl", why)
	j.skipTo = j.at.Micros
	j.resumed = false
}

// read hands out entries until the stream ends, and never returns nil.
func (j *journal) read(out io.Reader, emit func(input.Batch) error) error {
	in := bufio.NewReaderSize(out, input.MaxBatch)
	for {
		var text bytes.Buffer
		for {
			line, err := readLine(in)
			switch {
			case errors.Is(err, errLongEntry):
				j.Drop(input.DropCut, 1)
				err = nil
			case err == nil:
				j.take(line, &text)
			}
			if err != nil || in.Buffered() == 0 || text.Len() >= input.MaxBatch {
				if emitErr := j.send(text.String(), emit); emitErr != nil {
					return &emitError{emitErr}
				}
				if err != nil {
					return err
				}
				break
			}
		}
	}
}

// maxEntry bounds an entry in bytes of JSON. Every user may write entries of tens of
// megabytes to journald, with any facility, and a field that is not text takes four
// times as much here. Beyond [input.MaxLine] an entry is not used as a line, but up to
// maxEntry its cursor is still read.
const maxEntry = 1 << 20

var errLongEntry = errors.New("an entry that is too long")

// readLine reads a line with its newline. Text without a newline at the end of the
// output is half an entry, from a process that ended, and is not returned. A line longer
// than maxEntry is discarded: it fails with errLongEntry, and the next line can be read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = in.ReadSlice('\n')
		if len(long) <= maxEntry {
			long = append(long, line...)
		}
	}
	if err == nil && len(long) > maxEntry {
		return nil, errLongEntry
	}
	return long, err
}

func (j *journal) send(text string, emit func(input.Batch) error) error {
	if text == "" {
		return nil
	}
	j.Set(input.Following, nil)
	now := j.clock.Now()
	b := input.Batch{Log: j.Name(), Text: text, Received: now, Read: now, Cursor: j.at.encode(), Lag: -1}
	j.Count(&b)
	return emit(b)
}

// complaints keeps the start of a process's stderr.
type complaints struct {
	mu   sync.Mutex
	text []byte
}

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p[:min(len(p), 1024-min(1024, len(c.text)))]...)
	return len(p), nil
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(string(c.text))
}

func journalHint(said string) string {
	if strings.Contains(strings.ToLower(said), "permission") || strings.Contains(said, "not seeing messages") {
		return "let csmail's user join the group systemd-journal"
	}
	if strings.Contains(said, "boot id") {
		return "the service hides /proc/sys from csmail: ProcSubset=all in its unit (systemctl edit csmail), or follow the log file"
	}
	return "csmail starts it again; does `journalctl -n 1` work? else follow the log file"
}

// Newest calls take with the newest n entries, as lines of JSON, oldest first. Errors
// are ignored here: they are reported when the journal is followed.
func Newest(ctx context.Context, o Options, n int, take func(entry string)) {
	j := New(o).(*journal)
	args := []string{"--no-pager", "-q", "--all", "-o", "json", "--output-fields=" + archive.JournalFields, "-n", strconv.Itoa(n)}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	child := command(ctx, j.Command, append(args, j.Filter...)...)
	out, err := child.StdoutPipe()
	if err != nil || child.Start() != nil {
		return
	}
	defer child.Wait() // its exit status does not matter: the entries that were read count
	in := bufio.NewReader(out)
	for {
		line, err := readLine(in)
		if err == nil {
			take(string(line))
		} else if !errors.Is(err, errLongEntry) {
			return
		}
	}
}
