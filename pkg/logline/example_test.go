package logline_test

import (
	"fmt"
	"time"

	"csmail/pkg/logline"
)

// The header of an RFC 3164 line names no year and no zone. The line's Received and
// Zone supply both.
func ExampleSplit() {
	line := logline.Line{
		Text:     "Jun  3 04:11:09 mx1 postfix/smtpd[4711]: connect from unknown[192.0.2.7]",
		Received: time.Date(2026, 6, 3, 4, 11, 10, 0, time.UTC),
		Zone:     time.UTC,
	}
	header, message, ok := logline.Split(line)
	fmt.Println(ok, header.Program, header.PID, header.Time(line).Format(time.RFC3339))
	fmt.Println(message)
	// Output:
	// true postfix/smtpd 4711 2026-06-03T04:11:09Z
	// connect from unknown[192.0.2.7]
}
