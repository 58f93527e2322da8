//go:build !linux

package state

import "errors"

// renameNew is Linux's alone.
func renameNew(string, string) error { return errors.ErrUnsupported }
