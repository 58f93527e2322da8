package file

import "os"

// waker wakes the reader when a log was written.
type waker interface {
	wake() <-chan struct{}
	foldersChanged() bool     // since the last call
	folder(path string)       // watch for files that come, go, or change their mode
	file(f *os.File) (id int) // watch for writes
	forget(id int)            // a file
	sees() bool               // false: something is watched for which no events come
	close()
}
