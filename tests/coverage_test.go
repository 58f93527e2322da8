package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/event"
)

// notProvoked are the kinds that no client can bring forth in the recording; the
// grammars' tables hold their lines, built from the printf format.
var notProvoked = map[event.Kind]string{}

// TestEveryKindRecorded: each kind was seen in a log of real daemons, or the
// table says why not.
func TestEveryKindRecorded(t *testing.T) {
	seen := map[event.Kind]bool{}
	for _, log := range recorded(t) {
		file, _ := golden(log)
		events, err := os.ReadFile(filepath.Join(samplesFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(events)) {
			var e struct{ Kind event.Kind }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v in %s", log, err, line)
			}
			seen[e.Kind] = true
		}
	}
	for _, kind := range event.Kinds() {
		switch reason, excused := notProvoked[kind]; {
		case seen[kind] && excused:
			t.Errorf("%s is recorded: it does not belong into the table (%s)", kind, reason)
		case !seen[kind] && !excused:
			t.Errorf("%s is in no recorded log", kind)
		}
	}
}
