package daemon

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/geo"
	"csmail/pkg/host"
	"csmail/pkg/render/page"
	"csmail/pkg/report/document"
)

// pageTop is the number of rows of each list on the page.
const pageTop = 10

// mayShowReport reports whether /report may be served. It names accounts and mail
// addresses, so it is served beyond this host only if the configuration says so.
func (d answers) mayShowReport() bool {
	if !d.config.Report.Enabled {
		return false
	}
	addr := net.ParseIP(d.config.Prometheus.ListenAddr)
	return d.config.Report.ListenAnywhere || addr != nil && addr.IsLoopback() || d.config.Prometheus.ListenAddr == "localhost"
}

// reportPage serves the report of today, of yesterday, or of the date that ?day= names.
func (d answers) reportPage(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	day, ok := d.pageDay(r.URL.Query().Get("day"))
	if !ok {
		http.Error(w, "day: today, yesterday, or a date like 2026-11-28", http.StatusBadRequest)
		return
	}
	answer, err := d.Report(r.Context(), day, document.Midnight(day, 1), "")
	if errors.Is(err, errNoReport) {
		http.Error(w, "There is no report of "+day.Format(time.DateOnly)+" yet.", http.StatusNotFound)
		return
	}
	var b bytes.Buffer
	if err == nil {
		var doc *document.Document
		if doc, err = d.madeReport(r.Context(), answer); err == nil {
			err = page.HTML(&b, doc, pageTop)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a client that has gone away needs no error
}

// madeReport makes the report of an answer.
func (d answers) madeReport(ctx context.Context, answer control.Report) (*document.Document, error) {
	now := d.options.Now().In(time.Local).Truncate(time.Second)
	if answer.Document != nil {
		return document.Load(answer.Document, time.Local, now)
	}
	var files geo.Options
	if err := d.ask(ctx, func() { files = geo.Options{Country: d.config.Geo.Country, ASN: d.config.Geo.ASN} }); err != nil {
		return nil, err
	}
	places, err := geo.Open(files)
	if err != nil {
		return nil, err
	}
	defer places.Close()
	m := document.Maker{Generated: now, Zone: time.Local, ZoneName: host.ZoneName(), Place: func(addr netip.Addr) (country, as string) {
		p := places.Place(addr)
		return p.Country, p.Network()
	}}
	return m.Make(answer.Window, answer.Around)
}

// pageDay returns the midnight when a day begins.
func (d answers) pageDay(day string) (start time.Time, ok bool) {
	today := midnight(d.options.Now().In(time.Local))
	switch day {
	case "", "today":
		return today, true
	case "yesterday":
		return document.Midnight(today, -1), true
	}
	at, err := document.ParseDay(day, time.Local)
	return at, err == nil
}
