package render

import (
	"errors"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

func TestCrowdSecEvent(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for _, tc := range []struct {
		name   string
		time   time.Time
		meta   map[string]string
		parsed map[string]string
		want   string
	}{
		{
			"fractions of a second, another zone",
			time.Date(2026, 11, 23, 13, 1, 12, 1500, berlin),
			map[string]string{"kind": "auth-failed", "class": "hostile"},
			map[string]string{"program": "postfix/smtpd"},
			`{"time":"2026-11-23T12:01:12.0000015Z","meta":{"class":"hostile","kind":"auth-failed"},"parsed":{"program":"postfix/smtpd"}}`,
		},
		{
			"text of a client that would end the line or the string",
			time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			map[string]string{"username": "x\r\n"},
			map[string]string{"message": "a\n\"}<\\r\x00\xff"},
			`{"time":"2026-01-02T03:04:05Z","meta":{"username":"x\r\n"},"parsed":{"message":"a\n\"}<\\r\u0000\ufffd"}}`,
		},
		{"nothing but a time", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), nil, nil, `{"time":"2026-01-02T03:04:05Z","meta":{},"parsed":{}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			if err := CrowdSecEvent(&out, &event.Event{Time: tc.time}, tc.meta, tc.parsed); err != nil {
				t.Fatal(err)
			}
			if got, want := out.String(), tc.want+"\n"; got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

func TestCrowdSecEventToAFullDisk(t *testing.T) {
	if err := CrowdSecEvent(fullDisk{}, new(event.Event), nil, nil); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
