package situations

import (
	"path/filepath"
	"slices"
	"testing"
)

// What Dovecot as shipped and Postfix log of guesses that come so fast that Dovecot's
// penalty exceeds Postfix's patience. Honest users log in meanwhile.
func TestRecordedPenalty(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, tt := range map[string]struct {
		logs   []string
		banned []string
	}{
		"one address, nobody else":           {[]string{"penalty.log"}, []string{"203.0.113.60"}},
		"one address, one fault":             {[]string{"penalty-alone.log"}, []string{"203.0.113.60"}},
		"two addresses, Dovecot 2.3":         {[]string{"two-hammering.log"}, []string{"203.0.113.1"}},
		"Debian 12, Dovecot's log by itself": {[]string{"debian12-postfix.log", "debian12-dovecot.log"}, []string{"203.0.113.1"}},
	} {
		for _, set := range []string{"balanced", "strict"} {
			t.Run(set+"/"+name, func(t *testing.T) {
				var logs []string
				for _, log := range tt.logs {
					logs = append(logs, filepath.Join("recorded", log))
				}
				var banned []string
				alerts := backtestFiles(t, set, "", logs...)
				for _, a := range alerts {
					if a.Verdict == "ban" && !slices.Contains(banned, a.Value) {
						banned = append(banned, a.Value)
					}
				}
				if !slices.Equal(banned, tt.banned) {
					t.Errorf("got bans of %q, want %q; alerts %+v", banned, tt.banned, alerts)
				}
			})
		}
	}
}
