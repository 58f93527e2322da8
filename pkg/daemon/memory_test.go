package daemon

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestCgroupLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		membership string
		files      map[string]string
		want       int64
	}{
		"the unit's":         {"0::/system.slice/csmail.service\n", map[string]string{"system.slice/csmail.service/memory.max": "1073741824\n"}, 1 << 30},
		"of the slice above": {"0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "1048576\n"}, 1 << 20},
		"the least":          {"0::/a/b\n", map[string]string{"a/b/memory.max": "4096\n", "a/memory.max": "1048576\n"}, 4096},
		"in a container":     {"0::/\n", map[string]string{"memory.max": "65536\n"}, 65536},
		"none":               {"0::/a\n", map[string]string{"a/memory.max": "max\n"}, 0},
		"version 1":          {"5:cpu:/a\n4:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1, none":    {"4:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"rubbish":            {"x\n", map[string]string{"memory.max": "-1\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range tt.files {
				path = filepath.Join(root, "cgroup", path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			membership := filepath.Join(root, "membership")
			if err := os.WriteFile(membership, []byte(tt.membership), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := cgroupLimit(membership, filepath.Join(root, "cgroup")); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
	if got := cgroupLimit("/nonexistent/cgroup", "/nonexistent"); got != 0 {
		t.Errorf("without cgroups: %d, want 0", got)
	}
}

func TestMemoryLimitFollowsWhatIsUsed(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	const mb = 1 << 20
	m := &memoryLimit{most: 500 * mb, part: hostPart}
	for _, tt := range []struct{ used, want int64 }{
		{0, leastHeap}, {100 * mb, leastHeap}, {160 * mb, 180 * mb}, {240 * mb, 270 * mb}, {242 * mb, 270 * mb}, {248 * mb, 279 * mb}, {1000 * mb, 500 * mb}, {10 * mb, leastHeap},
	} {
		if m.adapt(tt.used); debug.SetMemoryLimit(-1) != tt.want {
			t.Errorf("with %d in use: limit %d, want %d", tt.used, debug.SetMemoryLimit(-1), tt.want)
		}
	}
}
