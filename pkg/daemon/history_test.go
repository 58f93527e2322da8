package daemon

import (
	"testing"
	"time"

	"csmail/pkg/config"
)

// The first start reads back as far as what it reads can count.
func TestHistoryBack(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct{ proves, want time.Duration }{
		"as long as a login proves": {30 * day, 30 * day},
		"the default":               {14 * day, 14 * day},
		"at least for the offences": {time.Hour, day},
	} {
		c := config.Config{}
		c.Guard.LoginProves = config.Duration(tt.proves)
		if got := historyBack(c); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
