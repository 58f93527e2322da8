package daemon

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"time"

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
	date, ok := d.pageDate(r.URL.Query().Get("day"))
	if !ok {
		http.Error(w, "day: today, yesterday, or a date like 2026-11-28", http.StatusBadRequest)
		return
	}
	answer, err := d.Report(r.Context(), date, "")
	if errors.Is(err, errNoReport) {
		http.Error(w, "There is no report of "+date+" yet.", http.StatusNotFound)
		return
	}
	var b bytes.Buffer
	if err == nil {
		var doc *document.Document
		if doc, err = document.Load(answer.Document, time.Local, d.options.Now().Truncate(time.Second)); err == nil {
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

// pageDate returns the date that ?day= names.
func (d answers) pageDate(day string) (date string, ok bool) {
	today := d.options.Now().In(time.Local)
	switch day {
	case "", "today":
		return today.Format(time.DateOnly), true
	case "yesterday":
		return today.AddDate(0, 0, -1).Format(time.DateOnly), true
	}
	at, err := time.Parse(time.DateOnly, day)
	return at.Format(time.DateOnly), err == nil
}
