package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"csmail/pkg/hint"
)

// Apply does a step. Its effects are added to the undo file, also if it fails in the
// middle. A step that can be undone as a whole is undone at once instead.
func Apply(ctx context.Context, host Host, s Step, warn func(string)) error {
	done, err := readUndo(host)
	if err != nil {
		return err
	}
	saved, err := save(ctx, host, s.Saves)
	if err != nil {
		return err
	}
	did, failed := do(ctx, host, &s, warn)
	if did == 0 {
		return failed // there is nothing to undo, such as a bouncer that was there before
	}
	back := undone{Title: s.Title, Actions: s.Undo, Enforce: s.Enforce}
	if restore, changed := restoreOf(host, saved); changed {
		restore.Instead = s.Instead
		back.Actions = append([]Action{restore}, back.Actions...)
	}
	if failed != nil && s.Whole {
		if _, problem := takeBack(ctx, host, back); problem == nil {
			return failed
		}
	}
	if len(back.Actions) > 0 {
		failed = errors.Join(failed, writeUndo(host, append(done, back)))
	}
	return failed
}

// do does the actions of a step one after the other and returns the number of those done.
// A value that one of them returns is put into the rest of the step and its undo.
func do(ctx context.Context, host Host, s *Step, warn func(string)) (did int, err error) {
	for i := range s.Do {
		a := s.Do[i] // filled in by one before it
		out, err := act(ctx, host, a)
		switch {
		case err != nil && a.Optional:
			warn(fmt.Sprintf("%s: %v", a, err))
		case err != nil && a.Fill != "":
			return i, hint.Wrap(fmt.Errorf("%s: %s: %w", s.Title, a, err), "is it there already, in sudo cscli bouncers list? Give its key with --bouncer-key, or: sudo cscli bouncers delete "+serviceUser)
		case err != nil:
			return i, hint.Wrap(fmt.Errorf("%s: %s: %w", s.Title, a, err), "mend what it says and run csmail setup again: it goes on where it ended")
		case a.Fill != "":
			s.Do, s.Undo = filled(s.Do, i+1, a.Fill, strings.TrimSpace(out)), filled(s.Undo, 0, a.Fill, strings.TrimSpace(out))
		}
	}
	return len(s.Do), nil
}

// filled returns the actions with a word replaced in the texts that they write, from one
// of them on.
func filled(actions []Action, from int, word, value string) []Action {
	all := append([]Action(nil), actions...)
	for i := from; i < len(all); i++ {
		all[i].Content = strings.ReplaceAll(all[i].Content, word, value)
		all[i].Wrote = strings.ReplaceAll(all[i].Wrote, word, value)
	}
	return all
}

// Saved is a file as it was before a step and as the step left it.
type Saved struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
	Mode   uint32 `json:"mode"`
	Owner  string `json:"owner"`
}

// save reads files that a step will have changed by a program.
func save(ctx context.Context, host Host, paths []string) ([]Saved, error) {
	var all []Saved
	for _, path := range paths {
		text, err := host.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("keeping a copy for the undo: %w", err)
		}
		rights, err := host.Run(ctx, "stat", "-c", "%a %U:%G", path)
		if err != nil {
			return nil, fmt.Errorf("keeping a copy for the undo: %w", err)
		}
		mode, owner, _ := strings.Cut(strings.TrimSpace(rights), " ")
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return nil, fmt.Errorf("the rights of %s are %q: %w", path, rights, err)
		}
		all = append(all, Saved{Path: path, Before: string(text), Mode: uint32(bits), Owner: owner})
	}
	return all, nil
}

// restoreOf returns the action that puts back the files that were changed since they were
// saved, and reports whether any was.
func restoreOf(host Host, saved []Saved) (Action, bool) {
	var a Action
	for _, s := range saved {
		text, err := host.ReadFile(s.Path)
		if err == nil && string(text) != s.Before {
			s.After = string(text)
			a.Restore = append(a.Restore, s)
		}
	}
	return a, len(a.Restore) > 0
}

// act runs one action and returns the output of its program.
func act(ctx context.Context, host Host, a Action) (string, error) {
	switch {
	case len(a.Run) > 0:
		return host.Run(ctx, a.Run[0], a.Run[1:]...)
	case len(a.Restore) > 0:
		return "", restore(ctx, host, a)
	case a.Unregister != "":
		if err := host.Unregister(ctx, a.Unregister); err != nil {
			return "", err
		}
		return "", host.Remove(a.Unregister)
	case a.Forget != "":
		return "", forget(ctx, host, a)
	case a.Write != "":
		if err := isUnchanged(host, a.Write, a.Wrote); err != nil {
			return "", err
		}
		return "", host.WriteFile(a.Write, []byte(a.Content), fs.FileMode(a.Mode), a.Owner)
	}
	if err := isUnchanged(host, a.Remove, a.Wrote); err != nil {
		return "", err
	}
	return "", host.Remove(a.Remove)
}

// restore puts the files back byte for byte. A file that has been changed since keeps
// these changes, and the actions for this case remove only csmail's part.
func restore(ctx context.Context, host Host, a Action) error {
	changed := false
	for _, s := range a.Restore {
		err := isUnchanged(host, s.Path, s.After)
		if err != nil && !errors.Is(err, errChanged) {
			return err
		}
		changed = changed || err != nil
	}
	if changed {
		for _, instead := range a.Instead {
			if _, err := act(ctx, host, instead); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range a.Restore {
		if err := host.WriteFile(s.Path, []byte(s.Before), fs.FileMode(s.Mode), s.Owner); err != nil {
			return err
		}
	}
	return nil
}

// forget takes csmail's part out of a setting of main.cf.
func forget(ctx context.Context, host Host, a Action) error {
	value, err := host.Run(ctx, "postconf", "-h", a.Forget)
	if err != nil || !strings.Contains(value, a.Word) {
		return err
	}
	_, err = host.Run(ctx, "postconf", "-e", a.Forget+"="+withoutQuestion(strings.TrimSpace(value), a.Word))
	return err
}

// errChanged means that an undo leaves a file alone.
var errChanged = errors.New("it was changed since, and stays as it is")

// isUnchanged returns an error if a file is not as setup wrote it; "" is any.
func isUnchanged(host Host, path, wrote string) error {
	if wrote == "" {
		return nil
	}
	text, err := host.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && string(text) != wrote {
		err = errChanged
	}
	return err
}
