package file

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder that is missing wakes the reader when it comes, however many above it are
// missing too.
func TestMissingFolderWakes(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "var", "log")
	w := newWaker()
	defer w.close()
	w.foldersChanged()
	w.folder(folder)
	if !w.sees() {
		t.Fatal("no inotify here")
	}
	for _, path := range []string{filepath.Dir(folder), folder} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		awaitChange(t, w, path)
		w.folder(folder)
	}
	if err := os.WriteFile(filepath.Join(folder, "mail.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitChange(t, w, "a file in the folder")
	if err := os.Rename(folder, folder+".old"); err != nil {
		t.Fatal(err)
	}
	awaitChange(t, w, "the folder moved away")
}

// awaitChange waits until the waker has seen a folder change.
func awaitChange(t *testing.T, w waker, what string) {
	t.Helper()
	limit := time.After(time.Minute)
	for !w.foldersChanged() {
		select {
		case <-w.wake():
		case <-limit:
			t.Fatalf("%s: no event", what)
		}
	}
}
