package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"csmail/pkg/hint"
	"csmail/pkg/scenario"
	"csmail/scenarios"
)

// Load returns the scenarios of all names together. A name without a slash that
// is a set of [scenarios.Sets] means that set.
func Load(names []string) (*scenario.Set, error) {
	sets := make([]*scenario.Set, 0, len(names))
	for _, name := range names {
		set, err := load(name)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	joined, err := scenario.Join(sets...)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("scenarios %q: %w", names, err), "name each set, folder or file once; strict holds balanced. Who changes one of a set gives csmail all of it: csmail scenarios show balanced")
	}
	if len(joined.Scenarios()) == 0 {
		return nil, hint.Wrap(fmt.Errorf("scenarios %q: no scenario stands there", names), "files end in .yaml; the sets are %s", strings.Join(scenarios.Sets(), " and "))
	}
	return joined, nil
}

func load(name string) (*scenario.Set, error) {
	if paths, ok := scenarios.Paths(name); ok {
		return scenario.Load(scenarios.Files, paths...)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, openError(name, err)
	}
	dir, path := name, "."
	if !info.IsDir() {
		dir, path = filepath.Split(name)
	}
	root, err := os.OpenRoot(filepath.Clean(dir)) // Clean: "" is here
	if err != nil {
		return nil, openError(name, err)
	}
	defer root.Close()
	set, err := scenario.Load(root.FS(), path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("scenarios %q: %w", name, err), "csmail scenarios lint %s tells more; docs/scenarios.md lists what csmail understands", name)
	}
	return set, nil
}

func openError(name string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	wrapped := fmt.Errorf("scenarios %q: %w", name, err)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.Wrap(wrapped, "name a file, a folder, or one of the sets %s", strings.Join(scenarios.Sets(), " and "))
	}
	return wrapped
}
