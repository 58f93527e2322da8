package page

import (
	"fmt"
	"time"

	"csmail/pkg/report/daily"
	"csmail/pkg/report/document"
)

// smtpd writes the sums of pflogsumm --smtpd-stats.
func (p *printer) smtpd(d *document.Document) {
	var all daily.Connected
	for _, one := range d.Connections.PerHour {
		all = all.Plus(one)
	}
	if all.Count == 0 {
		return
	}
	p.line("\nsmtpd\n")
	p.line("  %s  connections", scaled(int64(all.Count)))
	p.line("  %s  hosts/domains", scaled(int64(len(d.Connections.Hosts))))
	p.line("  %6d   avg. connect time (seconds)", average(all))
	p.line(" %s  total connect time", clock(all.Seconds))
}

// average is that of the time of connections, rounded like pflogsumm's.
func average(c daily.Connected) int { return (2*c.Seconds + c.Count) / (2 * max(c.Count, 1)) }

// clock writes seconds like pflogsumm: " 0:06:27".
func clock(seconds int) string {
	return fmt.Sprintf("%2d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// connections writes the tables of pflogsumm --smtpd-stats: connections to smtpd by day,
// hour, and host.
func (p *printer) connections(d *document.Document) {
	c := d.Connections
	const heads, line = "connections    time conn.    avg./conn.   max. time", "    --------------------------------------------------------------------"
	if d.Days > 1 && len(c.PerDay) > 0 {
		p.section("Per-Day SMTPD Connection Summary")
		p.line("    date        %s\n%s", heads, line)
		p.connected(c.PerDay, dayName)
	}
	if len(c.Hosts) == 0 && !p.alone {
		p.empty = append(p.empty, "SMTPD Connections")
		return
	}
	p.section("Per-Hour SMTPD Connection Summary")
	p.line("    hour        %s\n%s", heads, line)
	p.connected(c.PerHour, hourName)
	p.counted("Host/Domain Summary: SMTPD Connections", len(c.Hosts))
	p.line(" connections  time conn.  avg./conn.  max. time  host/domain\n -----------  ----------  ----------  ---------  -----------")
	rows, _ := cut(sortedRows(c.Hosts, func(c daily.Connected) (int64, int64) { return int64(c.Count), int64(c.Seconds) }), p.top)
	for _, host := range rows {
		h := c.Hosts[host]
		p.line("  %s      %s     %6ds    %6ds   %s", scaled(int64(h.Count)), clock(h.Seconds), average(h), h.Max, clip(host, width-50))
	}
}

// connected writes the rows of hours or days.
func (p *printer) connected(rows map[string]daily.Connected, name func(string) string) {
	for _, key := range sortedKeys(rows) {
		c := rows[key]
		p.line("    %-11s   %s       %s      %6ds      %6ds", name(key), scaled(int64(c.Count)), clock(c.Seconds), average(c), c.Max)
	}
}

// dayName writes a date like pflogsumm: "Nov 28 2026".
func dayName(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("Jan _2 2006")
}

// hourName writes an hour like pflogsumm --iso-date-time: "04:00-05:00".
func hourName(hour string) string {
	var h int
	_, _ = fmt.Sscanf(hour, "%d", &h)
	return fmt.Sprintf("%02d:00-%02d:00", h, h+1)
}

func connectionCounts(hosts map[string]daily.Connected) map[string]int {
	counts := make(map[string]int, len(hosts))
	for host, c := range hosts {
		counts[host] = c.Count
	}
	return counts
}
