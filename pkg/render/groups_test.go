package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"csmail/pkg/report"
)

func TestGroups(t *testing.T) {
	moment := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	groups := []report.Group{
		{Name: "", Tries: 9, Sources: 3, Last: moment},
		{Name: "AS64496 " + strings.Repeat("Long Name ", 9) + "\x1b[31m", Tries: 5, Sources: 2, Banned: 1, Users: 2, Last: moment},
		{Name: "AS64497", Tries: 1, Sources: 1, Users: 7, Last: moment.Add(time.Hour)},
	}
	tests := map[string]struct {
		by   string
		top  int
		sort Order
		want string
	}{
		"operators": {"as", 0, ByTries, `2 network operators, 15 tries, 9 of them without a known network operator
AS                                   Tries  Sources  Banned  Users  Last seen
(unknown)                                9        3       0      0  Jun  3 04:11
AS64496 Long Name Long Name Long N…      5        2       1      2  Jun  3 04:11
AS64497                                  1        1       0      7  Jun  3 05:11
`},
		"login names, most of names first": {"user", 1, ByUsers, `2 login names, 15 tries, 9 of them without a known login name
Login name  Tries  Sources  Banned  Last seen
AS64497         1        1       0  Jun  3 05:11
and 1 more; --all shows them
`},
		"seen last": {"country", 1, ByLast, `2 countries, 15 tries, 9 of them without a known country
Country  Tries  Sources  Banned  Users  Last seen
AS64497      1        1       0      7  Jun  3 05:11
and 2 more; --all shows them
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Groups(&out, SortGroups(groups, tt.sort), Overview{Top: tt.top, Zone: time.UTC}, tt.by, Screen{}); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}

// Where a geo file is at hand, the country stands behind each source, and the number of
// the network operator where there is room.
func TestSourcesWithPlaces(t *testing.T) {
	one := source("203.0.113.7", 12, "2026-06-03T04:11:09Z", "bob@example.org", "alice@example.org", "eve")
	one.Country, one.AS = "AS", "AS64496 Example Hosting"
	two := source("192.0.2.200", 3, "2026-06-03T04:11:09Z")
	two.AS = "AS64497"
	for columns, want := range map[int]string{
		80: `2 sources, 15 tries, 2 none
Source       From  Tries  What            Users            Last seen     Verdict
203.0.113.7  AS       12  auth-failed +1  alice@examp… +2  Jun  3 04:11  none
192.0.2.200            3  auth-failed +1                   Jun  3 04:11  none
`,
		120: `2 sources, 15 tries, 2 none
Source       From        Tries  What            Users                 Last seen     Verdict
203.0.113.7  AS AS64496     12  auth-failed +1  alice@example.org +2  Jun  3 04:11  none
192.0.2.200  AS64497         3  auth-failed +1                        Jun  3 04:11  none
`,
	} {
		var out bytes.Buffer
		if err := Sources(&out, []*report.Source{one, two}, Overview{Zone: time.UTC}, Screen{Terminal: true, Columns: columns}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%d columns: got\n%swant\n%s", columns, out.String(), want)
		}
	}
}
