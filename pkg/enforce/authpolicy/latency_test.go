package authpolicy

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkLatency asks the real door over TCP on 64 connections that stay open: as fast as it answers, and once in 100 ms each (640 a second). The
// asking client runs on the same cores, so the times are upper bounds. "empty" is the same against a server that looks at nothing and always answers
// alike: what the machine, net/http and the client take without csmail.
func BenchmarkLatency(b *testing.B) {
	s, _ := server(b)
	empty := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":0,"msg":""}`)
	})
	serveEmpty := func(ctx context.Context, l net.Listener) error {
		web := &http.Server{Handler: empty}
		defer context.AfterFunc(ctx, func() { web.Close() })()
		return web.Serve(l)
	}
	for name, pause := range map[string]time.Duration{"saturated": 0, "paced": 100 * time.Millisecond} {
		b.Run(name, func(b *testing.B) { latency(b, s.Serve, pause) })
		b.Run(name+"-empty", func(b *testing.B) { latency(b, serveEmpty, pause) })
	}
}

func latency(b *testing.B, serve func(context.Context, net.Listener) error, pause time.Duration) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	const clients = 64
	took := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			time.Sleep(pause * time.Duration(i) / clients)
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr}
			for range b.N/clients + 1 {
				began := time.Now()
				resp, err := c.Post("http://"+l.Addr().String()+"/?command=allow", "application/json", strings.NewReader(`{"login":"eve","remote":"192.0.2.9","protocol":"imap"}`))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				took[i] = append(took[i], time.Since(began))
				time.Sleep(pause)
			}
		}()
	}
	wg.Wait()
	b.StopTimer()
	cancel()
	<-done
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}
