package cluster

import "testing"

// The server ends its answer to a question for more when it has said all or has nothing; then
// the reader asks again. On anything else another reader begins.
func TestHear(t *testing.T) {
	for name, tt := range map[string]struct {
		status, description string
		left                int
		fails               bool
	}{
		"a heartbeat":             {"100", "Idle Heartbeat", 7, false},
		"nothing":                 {"404", "No Messages", 0, false},
		"nothing for 30 s":        {"408", "Request Timeout", 0, false},
		"all that was asked for":  {"409", "Batch Completed", 7, false},
		"the next one is too big": {"409", "Message Size Exceeds MaxBytes", 0, false},
		"it is gone":              {"409", "Consumer Deleted", 7, true},
		"another server leads":    {"409", "Leadership Change", 7, true},
		"nobody answers":          {"503", "", 7, true},
		"no status":               {"", "", 7, true},
	} {
		r := &reader{left: 7}
		if err := r.hear(tt.status, tt.description); (err != nil) != tt.fails || r.left != tt.left {
			t.Errorf("%s: got %v and %d messages to come, want %d", name, err, r.left, tt.left)
		}
	}
}
