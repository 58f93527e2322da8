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
// asking client runs on the same cores, so the times are upper bounds.
func BenchmarkLatency(b *testing.B) {
	b.Run("saturated", func(b *testing.B) { latency(b, 0) })
	b.Run("paced", func(b *testing.B) { latency(b, 100*time.Millisecond) })
}

func latency(b *testing.B, pause time.Duration) {
	s, _ := server(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
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
