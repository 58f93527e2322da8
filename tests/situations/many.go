package situations

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// HostLog is the log of one of several hosts, six hours long, that a few attackers visit:
// they guess a little on each, while users log in and mail comes in.
func HostLog(host string, start time.Time, dice *rand.Rand) *Log {
	l := NewLogOn(host)
	l.start = start
	for range 400 {
		after := time.Duration(dice.IntN(6*60*60*10)) * 100 * time.Millisecond
		bot := fmt.Sprintf("203.0.113.%d", dice.IntN(30)+1)
		switch dice.IntN(6) {
		case 0:
			l.imapFailure(after, bot, fmt.Sprintf("user%d@example.org", dice.IntN(40)), 1+dice.IntN(3))
		case 1:
			l.submissionFailure(after, bot, fmt.Sprintf("user%d@example.org", dice.IntN(40)))
		case 2:
			l.imapLogin(after, fmt.Sprintf("198.51.100.%d", dice.IntN(20)+1), fmt.Sprintf("user%d@example.org", dice.IntN(40)))
		case 3:
			l.delivery(after, fmt.Sprintf("192.0.2.%d", dice.IntN(50)+1), fmt.Sprintf("mail%d.example.net", dice.IntN(50)))
		case 4:
			l.nameless(after, bot, "unknown")
		case 5:
			l.attack(after, bot)
		}
	}
	return l
}

// Lines returns the lines of a log, oldest first.
func (l *Log) Lines() []string { return strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n") }
