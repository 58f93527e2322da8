package state

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ownerOf names the process that holds the file, as far as the system shows it
// (/proc/locks, proc(5)).
func ownerOf(path string) string {
	const unknown = "another process"
	info, err := os.Stat(path)
	if err != nil {
		return unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	pid := lockHolder(string(locks), stat.Ino)
	if pid == "" {
		return unknown
	}
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
}

// lockHolder finds the process that holds a flock on the inode. The devices in
// the list are not those of stat(2) on every file system, so the inode decides.
func lockHolder(locks string, inode uint64) string {
	for line := range strings.Lines(locks) {
		// 1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF
		fields := strings.Fields(line)
		if len(fields) >= 6 && fields[1] == "FLOCK" && fields[4] != "0" &&
			strings.HasSuffix(fields[5], fmt.Sprintf(":%d", inode)) {
			return fields[4]
		}
	}
	return ""
}
