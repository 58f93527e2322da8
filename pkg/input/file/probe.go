package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"csmail/pkg/hint"
)

// Probe tries to open each log that the globs match, and returns the errors. A glob
// without a match is an error too.
func Probe(globs []string) (problems []error) {
	for _, glob := range globs {
		paths := []string{glob}
		if hasPattern(glob) {
			paths, _ = filepath.Glob(glob) // its one error is a bad pattern, refused before
		}
		if len(paths) == 0 {
			problems = append(problems, hint.Wrap(fmt.Errorf("%q matches no file", glob), "is it the log that mail is written to? csmail run waits for it to come"))
		}
		for _, path := range LiveOnly(paths) {
			if err := probeFile(path); err != nil {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

// probeFile opens and closes a file, to see whether it can be read.
func probeFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return hint.Wrap(fmt.Errorf("the log %q is not there", path), "is it the log that mail is written to? csmail run waits for it to come")
	}
	if err != nil {
		return openError(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return hint.Wrap(fmt.Errorf("%q is no regular file", path), "name a log file; a pipe or a directory cannot be followed")
	}
	return err
}
