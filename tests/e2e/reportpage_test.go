//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

var screens = flag.String("screens", "", "the folder for pictures of the report page; default: none are kept")

// The page that csmail run serves, in a real browser: no script, nothing from
// elsewhere, no error on the console, and readable without scrolling sideways on a
// phone.
func TestReportPage(t *testing.T) {
	program, dir := buildProgram(t), t.TempDir()
	log := filepath.Join(dir, "mail.log")
	write(t, dir, "mail.log", nil)
	config := writeHost(t, dir, filepath.Join(dir, "none.yaml"), log)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "csmail.yaml", append(text, "prometheus: {enabled: true, listen_port: "+port+"}\n"...))
	daemon := csmailCommand(program, config, "run")
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	})
	day := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour)
	page := "http://" + address + "/report?day=" + day.Format(time.DateOnly)
	within(t, "the daemon serves", func() bool { return strings.HasPrefix(fetch(page), "404") })
	write(t, dir, "mail.log", pageLog(day))
	within(t, "the day is read", func() bool {
		return strings.Contains(fetch(page), "<b>240</b><span>received</span>")
	})

	browser := startBrowser(t)
	for _, width := range []int{390, 900} {
		browser.open(t, page, width)
		var seen struct {
			Scroll, Width, Scripts, Loaded int
			Title                          string
		}
		browser.evaluate(t, `JSON.stringify({Scroll: document.documentElement.scrollWidth, Width: window.innerWidth, Scripts: document.scripts.length,
			Loaded: performance.getEntriesByType('resource').filter(e => !e.name.endsWith('/favicon.ico')).length, Title: document.querySelector('h1').textContent})`, &seen)
		if seen.Width != width || seen.Scroll > width || seen.Scripts != 0 || seen.Loaded != 0 || !strings.Contains(seen.Title, "csmail report for mx1") {
			t.Errorf("at %d pixels: %+v", width, seen)
		}
		if *screens != "" {
			write(t, *screens, fmt.Sprintf("report-%d.png", width), browser.picture(t, width))
		}
	}
	for _, problem := range browser.problems {
		t.Errorf("the browser says: %s", problem)
	}
}

func fetch(url string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "curl", "-s", "-w", "", "-o", "-", "-D", "/dev/null", url).Output()
	if strings.HasPrefix(string(out), "There is no report") {
		return "404 " + string(out)
	}
	return string(out)
}

// pageLog is a day with something of everything, and names that try to be markup.
func pageLog(day time.Time) []byte {
	var b strings.Builder
	at := day.Add(-time.Minute)
	say := func(tag, format string, args ...any) {
		fmt.Fprintf(&b, "%s mx1 %s: %s\n", at.Format("2006-01-02T15:04:05.000000Z"), tag, fmt.Sprintf(format, args...))
		at = at.Add(100 * time.Millisecond)
	}
	say("postfix/master[1]", "reload -- version 3.7.11, configuration /etc/postfix")
	for i := range 240 {
		at = day.Add(time.Duration(i) * 6 * time.Minute)
		tag := fmt.Sprintf("postfix/smtpd[%d]", 100+i)
		addr := fmt.Sprintf("198.51.100.%d", i)
		say(tag, "connect from unknown[%s]", addr)
		if i%3 != 2 {
			for range 1 + i%9 {
				say(tag, "warning: unknown[%s]: SASL LOGIN authentication failed: x, sasl_username=<script>alert(%d)</script>@example.org", addr, i%5)
			}
		}
		say(tag, "NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <a@b.example>: Relay access denied; from=<<img src=x onerror=alert(1)>@c.example> to=<a@b.example> proto=ESMTP helo=<x>", addr)
		say(tag, "disconnect from unknown[%s] ehlo=1 auth=0/1 rcpt=0/1 commands=1/3", addr)
		id := fmt.Sprintf("A%05XF", i)
		say("postfix/smtpd[7]", "%s: client=mail.d.example[203.0.113.7]", id)
		say("postfix/qmgr[8]", "%s: from=<%s@d.example>, size=%d, nrcpt=1 (queue active)", id, strings.Repeat("a-long-name", 1+i%5), 2000+i*i)
		say("postfix/lmtp[9]", "%s: to=<user%d@example.org>, relay=example.org[private/dovecot-lmtp], delay=0.4, delays=0/0/0/0.4, dsn=2.0.0, status=sent (250 2.0.0 Saved)", id, i%7)
		say("postfix/qmgr[8]", "%s: removed", id)
		if i%6 == 0 {
			say("dovecot", "imap-login: Login: user=<user%d@example.org>, method=PLAIN, rip=203.0.113.%d, lip=192.0.2.1, mpid=%d, TLS, session=<s%d>", i%7, 50+i%7, i, i)
		}
	}
	return []byte(b.String())
}

// browser is a headless Chromium that is spoken to by its DevTools protocol.
type browser struct {
	conn     *websocket.Conn
	last     int
	problems []string // that it wrote on the console
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
		"--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with the processes that it has started
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "DevTools listening on ws://"); ok {
			go func() {
				for lines.Scan() { // or it would wait for somebody to read
				}
			}()
			return attach(t, url)
		}
	}
	t.Fatal("chromium does not say where it listens")
	return nil
}

// attach speaks to the page that is open.
func attach(t *testing.T, url string) *browser {
	t.Helper()
	host, _, _ := strings.Cut(url, "/")
	var pages []struct {
		Type string `json:"type"`
		URL  string `json:"webSocketDebuggerUrl"`
	}
	if err := json.Unmarshal([]byte(fetch("http://"+host+"/json/list")), &pages); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if p.Type != "page" {
			continue
		}
		conn, err := websocket.Dial(p.URL, "", "http://localhost")
		if err != nil {
			t.Fatal(err)
		}
		conn.MaxPayloadBytes = 64 << 20
		t.Cleanup(func() { conn.Close() })
		b := &browser{conn: conn}
		b.call(t, "Page.enable", nil, nil)
		b.call(t, "Log.enable", nil, nil)
		b.call(t, "Runtime.enable", nil, nil)
		return b
	}
	t.Fatalf("no page in %+v", pages)
	return nil
}

// call calls a method of the protocol and waits for its answer.
func (b *browser) call(t *testing.T, method string, params, result any) {
	t.Helper()
	b.last++
	if err := websocket.JSON.Send(b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.receive(t, method)
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

type devMessage struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func (b *browser) receive(t *testing.T, what string) devMessage {
	t.Helper()
	var m devMessage
	_ = b.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	if err := websocket.JSON.Receive(b.conn, &m); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	text := string(m.Params)
	isProblem := m.Method == "Log.entryAdded" || m.Method == "Runtime.exceptionThrown" || m.Method == "Page.javascriptDialogOpening"
	if isProblem && !strings.Contains(text, "favicon.ico") {
		b.problems = append(b.problems, text)
	}
	return m
}

func (b *browser) open(t *testing.T, url string, width int) {
	t.Helper()
	b.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call(t, "Page.navigate", map[string]any{"url": url}, nil)
	for b.receive(t, "loading the page").Method != "Page.loadEventFired" {
	}
}

func (b *browser) evaluate(t *testing.T, expression string, into any) {
	t.Helper()
	var answer struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
	}
	b.call(t, "Runtime.evaluate", map[string]any{"expression": expression}, &answer)
	if err := json.Unmarshal([]byte(answer.Result.Value), into); err != nil {
		t.Fatalf("%q: %v", answer.Result.Value, err)
	}
}

// picture is a PNG of the upper part of the page.
func (b *browser) picture(t *testing.T, width int) []byte {
	t.Helper()
	var answer struct {
		Data string `json:"data"`
	}
	b.call(t, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true, "clip": map[string]any{"x": 0, "y": 0, "width": width, "height": 1200, "scale": 1}}, &answer)
	data, err := base64.StdEncoding.DecodeString(answer.Data)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
