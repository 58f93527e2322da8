package authpolicy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLatency asks the real door over TCP on 64 connections that stay open: as fast as
// it answers, and once in 100 ms each (640 a second). The asking clients run on the same
// cores, so the times are upper bounds. Like Dovecot's client they take next to nothing:
// they write one text and read to the end of the answer. "empty" is the same against a
// server that looks at nothing and always answers alike: what the machine and net/http take
// without csmail.
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

// askAllow is a question as Dovecot 2.3 sends one.
func askAllow(body string) []byte {
	return fmt.Appendf(nil, "POST /?command=allow HTTP/1.1\r\nHost: 127.0.0.1:10043\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\n"+
		"Content-Length: %d\r\nConnection: Keep-Alive\r\nUser-Agent: dovecot/auth-policy-client\r\nContent-Type: application/json\r\n\r\n%s", len(body), body)
}

const askedLogin = `{"device_id":"","login":"eve@example.org","protocol":"imap","pwhash":"03fe","remote":"192.0.2.9","session_id":"Zr2mQnxTVMTAAAJC","mech":"PLAIN","tls":"TLSv1.3"}`

// ask writes a question and reads to the end of the answer, which the door writes at once.
func ask(c net.Conn, question, buffer []byte) error {
	if _, err := c.Write(question); err != nil {
		return err
	}
	n := 0
	for !bytes.HasSuffix(buffer[:n], []byte("}")) {
		more, err := c.Read(buffer[n:])
		if err != nil {
			return err
		}
		n += more
	}
	return nil
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
	b.ReportAllocs()
	began := processorTime()
	b.ResetTimer()
	for i := range clients {
		wg.Go(func() {
			time.Sleep(pause * time.Duration(i) / clients)
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			question, buffer := askAllow(askedLogin), make([]byte, 4096)
			for range b.N/clients + 1 {
				began := time.Now()
				if err := ask(c, question, buffer); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-began).Microseconds())/float64(b.N), "cpu-µs/op")
	cancel()
	<-done
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// processorTime is what the process has used. A busy machine does not change it much.
func processorTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
