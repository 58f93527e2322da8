package journal

import (
	"context"
	"fmt"
	"strings"

	"csmail/pkg/hint"
)

// Probe asks journalctl for the newest entry, with the arguments of following except
// --follow.
func Probe(ctx context.Context, o Options) error {
	j := New(o).(*journal)
	args := []string{"--no-pager", "-q", "--merge", "-o", "json", "-n", "1"}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	child := command(ctx, j.Command, append(args, j.matches()...)...)
	complaint := &complaints{}
	child.Stderr = complaint
	out, err := child.Output()
	said := complaint.String()
	switch {
	case err != nil && said == "":
		return hint.Wrap(fmt.Errorf("journalctl: %w", err), "%s", journalHint(said))
	case err != nil || said != "" && len(out) == 0:
		return hint.Wrap(fmt.Errorf("journalctl: %w, it says %q", exitError(err), said), "%s", journalHint(said))
	case len(strings.TrimSpace(string(out))) == 0:
		return hint.Wrap(fmt.Errorf("the journal holds no entry with %s", strings.Join(j.Filter, " ")),
			"is mail logged to the journal? else follow the log file: sources: [{source: file, filenames: [/var/log/mail.log]}]")
	}
	return nil
}
