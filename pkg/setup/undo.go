package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"csmail/pkg/hint"
)

// undone is how to take a step back.
type undone struct {
	Title   string   `json:"title"`
	Actions []Action `json:"actions"`
	Enforce bool     `json:"enforce,omitempty"` // a step of setup --enforce
}

func readUndo(host Host) ([]undone, error) {
	text, err := host.ReadFile(UndoPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var done []undone
	if err == nil {
		err = json.Unmarshal(text, &done)
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("reading what setup did (%s): %w", UndoPath, err), "move the file away; setup then knows of nothing to undo")
	}
	return done, nil
}

func writeUndo(host Host, done []undone) error {
	text, err := json.MarshalIndent(done, "", "  ")
	if err == nil {
		err = host.WriteFile(UndoPath, append(text, '\n'), 0o600, "")
	}
	if err != nil {
		return fmt.Errorf("noting what setup did (%s): %w", UndoPath, err)
	}
	return nil
}

// UndoPlan returns the steps that undo those of Apply, the last first; with onlyEnforce
// only those of setup --enforce.
func UndoPlan(host Host, onlyEnforce bool) ([]Step, error) {
	done, err := readUndo(host)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, u := range slices.Backward(done) {
		if u.Enforce || !onlyEnforce {
			steps = append(steps, Step{Title: "undo: " + u.Title, Do: u.Actions})
		}
	}
	return steps, nil
}

// Undo takes back the steps that UndoPlan returns. A step that fails stays in the undo
// file, and the others are taken back all the same.
func Undo(ctx context.Context, host Host, onlyEnforce bool, report func(title string, err error)) error {
	done, err := readUndo(host)
	if err != nil {
		return err
	}
	var left []undone
	var failed error
	for _, u := range slices.Backward(done) {
		if onlyEnforce && !u.Enforce {
			left = append([]undone{u}, left...)
			continue
		}
		kept, problem := takeBack(ctx, host, u)
		report(u.Title, errors.Join(kept, problem))
		if problem != nil {
			left = append([]undone{u}, left...)
			failed = errors.Join(failed, problem)
		}
	}
	failed = hint.Wrap(failed, "mend what it says and run csmail setup --undo again")
	if len(left) > 0 {
		return errors.Join(failed, writeUndo(host, left))
	}
	return host.Remove(UndoPath)
}

// takeBack undoes one step. kept names the files that were changed since and so stay.
func takeBack(ctx context.Context, host Host, u undone) (kept, problem error) {
	for _, a := range u.Actions {
		_, err := act(ctx, host, a)
		switch {
		case err == nil || a.Optional:
		case errors.Is(err, errChanged):
			kept = errors.Join(kept, fmt.Errorf("%s: %w", a, err))
		default:
			problem = errors.Join(problem, fmt.Errorf("%s: %w", a, err))
		}
	}
	return kept, problem
}
