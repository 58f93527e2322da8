package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// ErrJournalEmpty is a journal that holds no mail line in the time asked for, although
// journalctl has nothing to say against it.
var ErrJournalEmpty = errors.New("the journal holds no mail lines")

// JournalOptions select a journal and the part of it to read.
type JournalOptions struct {
	Since, Until time.Time // zero: no bound
	File         string    // a journal file; "" is the host's journal
	Command      string    // journalctl unless set
	MayBeEmpty   bool      // in the time asked for
}

// journal reads the journal of facility mail by journalctl -o json.
type journal struct{ JournalOptions }

var _ Input = (*journal)(nil)

// TheJournal is the name of the host's journal as an input.
const TheJournal = "the journal"

// Journal returns the journal as an input. Reading it fails with [ErrJournalEmpty] rather
// than yield nothing, unless it may be empty.
func Journal(o JournalOptions) Input {
	if o.Command == "" {
		o.Command = "journalctl"
	}
	return &journal{o}
}

func (j *journal) Name() string {
	if j.File != "" {
		return j.File
	}
	return TheJournal
}

func (*journal) Size() int64 { return -1 }

// journalFields are the fields that logline reads (systemd.journal-fields(7)): the
// message and its writer.
const journalFields = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME,_UID,_COMM,_EXE,_SYSTEMD_UNIT"

func (j *journal) arguments() []string {
	// Without --all a message of more than 4 KiB comes as null.
	args := []string{"--no-pager", "--all", "-o", "json", "--output-fields=" + journalFields}
	if j.File != "" {
		args = append(args, "--file="+j.File)
	}
	if !j.Since.IsZero() {
		args = append(args, "--since=@"+strconv.FormatInt(j.Since.Unix(), 10))
	}
	if !j.Until.IsZero() {
		args = append(args, "--until=@"+strconv.FormatInt(j.Until.Unix()+1, 10))
	}
	return append(args, "SYSLOG_FACILITY=2")
}

func (j *journal) Read(ctx context.Context, yield func(Block) error) error {
	lines := 0
	said, err := j.run(ctx, j.arguments(), func(b Block) error {
		if strings.HasPrefix(b.Text, "-- No entries --") {
			return nil
		}
		lines++
		return yield(b)
	})
	if err != nil {
		return err
	}
	if strings.Contains(said, "ignoring file") {
		return hint.Wrap(fmt.Errorf("reading %s: journalctl says %q", j.Name(), said),
			"a part of the journal is missing; journalctl --verify tells which")
	}
	if lines > 0 {
		return nil
	}
	return j.empty(ctx)
}

// empty explains a journal without mail. With -o json journalctl keeps to
// itself why it shows nothing, so it is asked again for text.
func (j *journal) empty(ctx context.Context) error {
	args := []string{"--no-pager", "-n", "1"}
	if j.File != "" {
		args = append(args, "--file="+j.File)
	}
	said, err := j.run(ctx, args, func(Block) error { return nil })
	if err != nil {
		return err
	}
	if said != "" {
		return hint.Wrap(fmt.Errorf("the journal holds no mail lines: journalctl says %q", said), "%s", journalHint(said))
	}
	if j.MayBeEmpty {
		return nil
	}
	return hint.Wrap(ErrJournalEmpty, "`journalctl SYSLOG_FACILITY=2 -n 5` shows whether mail is logged there; else name the log file")
}

// run starts journalctl and yields its output. It returns journalctl's text on stderr.
func (j *journal) run(ctx context.Context, args []string, yield func(Block) error) (said string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	child := exec.CommandContext(ctx, j.Command, args...)
	child.Env = append(os.Environ(), "LC_ALL=C")
	child.WaitDelay = time.Second
	var complaint bytes.Buffer
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("starting journalctl: %w", err), "without systemd's journal, name the log file: csmail scan /var/log/mail.log")
	}
	readErr := readStream(ctx, j.Name(), out, time.Now(), yield)
	if readErr != nil {
		cancel()
	}
	waitErr := child.Wait()
	said = strings.TrimSpace(complaint.String())
	if readErr != nil {
		return said, readErr
	}
	if waitErr != nil {
		return said, hint.Wrap(fmt.Errorf("reading %s: journalctl: %w: %q", j.Name(), waitErr, said), "%s", journalHint(said))
	}
	return said, nil
}

func journalHint(said string) string {
	if strings.Contains(said, "permission") || strings.Contains(said, "Permission") || strings.Contains(said, "not seeing messages") {
		return "run it with sudo, or join the group systemd-journal"
	}
	if strings.Contains(said, "Failed to open files") {
		return "journalctl reads only files of the journal (*.journal); name a text log without --journal-file"
	}
	return "does the host keep a journal? else name the log file: csmail scan /var/log/mail.log"
}
