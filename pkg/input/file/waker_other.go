//go:build !linux

package file

import "os"

// polling is the waker of systems without inotify(7): it sees nothing, so that the
// followers look at their files every [plainPoll] and at their folders as often.
type polling struct{ signal chan struct{} }

func newWaker() waker { return polling{make(chan struct{})} }

func (w polling) wake() <-chan struct{} { return w.signal }
func (polling) foldersChanged() bool    { return true }
func (polling) folder(string)           {}
func (polling) file(*os.File) int       { return -1 }
func (polling) forget(int)              {}
func (polling) sees() bool              { return false }
func (polling) close()                  {}
