//go:build !linux

package cluster

import "syscall"

// endsWithParent has no counterpart here: a child outlives a test that is killed.
func endsWithParent() *syscall.SysProcAttr { return nil }
