//go:build e2e

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNothingIsLeft: whether a run succeeds or fails, none of its namespaces,
// processes, mounts and files outlives it.
func TestNothingIsLeft(t *testing.T) {
	broken := errors.New("broken on purpose")
	for name, fault := range map[string]error{"after success": nil, "after a client failed": broken} {
		t.Run(name, func(t *testing.T) {
			witness := &trace{}
			all := clients()[:4]
			act := all[0].act
			all[0].act = func(c *Client) error {
				witness.look(c)
				return errors.Join(act(c), fault)
			}
			if _, err := record(all, setup{}); !errors.Is(err, fault) {
				t.Fatalf("record: %v, expected %v", err, fault)
			}
			witness.check(t)
		})
	}
}

// trace is what a run looked like while it ran.
type trace struct {
	dirs       []string
	namespaces []string // as /proc names them: net:[4026532290]
}

// look notes the namespaces of the server, who is the child of this process
// whose environment says so, and of one client.
func (tr *trace) look(c *Client) {
	own, _ := os.Readlink(c.ns.path)
	tr.namespaces = append(tr.namespaces, own)
	for pid := range strings.FieldsSeq(allChildren()) {
		_, rest, isServer := strings.Cut(readFile("/proc/"+pid+"/environ"), serverEnv+"=")
		if !isServer {
			continue
		}
		dir, _, _ := strings.Cut(rest, "\x00")
		tr.dirs = append(tr.dirs, dir)
		for _, kind := range []string{"net", "pid", "mnt", "uts", "ipc"} {
			ns, _ := os.Readlink("/proc/" + pid + "/ns/" + kind)
			tr.namespaces = append(tr.namespaces, ns)
		}
	}
}

// allChildren is the children of every thread of this process.
func allChildren() string {
	var pids strings.Builder
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		pids.WriteString(readFile(list) + " ")
	}
	return pids.String()
}

func readFile(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

const goneWait = 5 * time.Second

func (tr *trace) check(t *testing.T) {
	t.Helper()
	if len(tr.dirs) == 0 || len(tr.namespaces) < 6 {
		t.Fatalf("the run was not seen: folders %q, namespaces %q", tr.dirs, tr.namespaces)
	}
	for _, dir := range tr.dirs {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
		if mounts := readFile("/proc/self/mountinfo"); strings.Contains(mounts, dir) {
			t.Errorf("a mount is left:\n%s", mounts)
		}
	}
	// A thread ends a moment after its goroutine.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(goneWait); ; <-tick.C {
		users := tr.users()
		if len(users) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("still in namespaces of the run: %q", users)
			return
		}
	}
}

// users lists the threads of all processes that are in one of the namespaces.
func (tr *trace) users() (users []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/*")
	for _, link := range links {
		if ns, err := os.Readlink(link); err == nil && slices.Contains(tr.namespaces, ns) {
			users = append(users, link)
		}
	}
	return users
}
