package daemon

import (
	"errors"
	"fmt"
	"os"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/state"
)

// adoptedNote says that the checkpoint is another host's, and so are the open days of the
// report in it.
const adoptedNote = "adopted"

// AdoptJudge gives this judge the memory of another one, out of a copy of that one's state
// file. As an edge this host goes on as before. No daemon may run here.
func AdoptJudge(c config.Config, copied string) error {
	if !c.Cluster.IsJudge() {
		return hint.Wrap(errors.New("this host is no judge"), "cluster.role: judge, or edge, judge; then run the command again")
	}
	if own, err := os.Stat(c.State); err == nil {
		if other, err := os.Stat(copied); err == nil && os.SameFile(own, other) {
			return hint.Wrap(fmt.Errorf("%s is the state file of this host", copied), "name a copy of the file of another judge, which lies beside it")
		}
	}
	from, err := state.Open(copied, state.Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	defer from.Close()
	store, err := state.Open(c.State, state.Options{History: time.Duration(c.History)})
	if err != nil {
		return err
	}
	err = store.Adopt(from, judgeKept, map[string][]byte{adoptedNote: {1}})
	if errors.Is(err, state.ErrNoMemory) {
		err = hint.Wrap(err, "copy the state file of a judge that was stopped in order: systemctl stop csmail")
	}
	return errors.Join(err, store.Close())
}
