package page

import (
	"fmt"

	"csmail/pkg/report/document"
)

// chart is a bar chart of the 24 hours, in the numbers of an SVG.
type chart struct {
	Title string
	Class string
	Most  int
	Total int
	Bars  []bar
}

type bar struct {
	X, Y, Height int
	Label        string
}

const (
	barWidth    = 28
	chartHeight = 60
)

// charts returns the charts by hour: attempts to log in, refusals, deliveries, logins. A
// chart without data is left out.
func charts(d *document.Document) []chart {
	var out []chart
	for _, c := range []struct {
		title, class string
		of           func(hour string) int
	}{
		{"failed logins", "bad", func(h string) int { return d.LoginsPerHour[h].Failed }},
		{"rejected", "bad", func(h string) int { return d.PerHour[h].Rejected }},
		{"delivered", "good", func(h string) int { return d.PerHour[h].Delivered }},
		{"logins", "good", func(h string) int { return d.LoginsPerHour[h].OK }},
	} {
		if drawn := draw(c.title, c.class, c.of); drawn.Total > 0 {
			out = append(out, drawn)
		}
	}
	return out
}

// draw scales a chart to its greatest value.
func draw(title, class string, of func(hour string) int) chart {
	c := chart{Title: title, Class: class}
	for h := range 24 {
		n := of(fmt.Sprintf("%02d", h))
		c.Most, c.Total = max(c.Most, n), c.Total+n
	}
	for h := range 24 {
		n := of(fmt.Sprintf("%02d", h))
		height := 0
		if n > 0 {
			height = max(1, n*chartHeight/c.Most)
		}
		c.Bars = append(c.Bars, bar{X: h * barWidth, Y: chartHeight - height, Height: height, Label: fmt.Sprintf("%02d:00 %d", h, n)})
	}
	return c
}
