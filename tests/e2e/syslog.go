//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// logLine is one datagram that a daemon sent to /dev/log.
type logLine struct {
	at       time.Time // arrival, as rsyslog and journald take it
	priority int       // facility * 8 + severity
	tag      string    // postfix/smtpd
	pid      string    // "" if the daemon sent none
	message  string
}

// syslogd is the lab's /dev/log: it keeps what the daemons send, in order.
type syslogd struct {
	conn *net.UnixConn
	done chan struct{}

	mu    sync.Mutex
	lines []logLine
	odd   []string // datagrams that were not understood: a fault of the lab
	file  *os.File // gets each line as rsyslog writes it; nil: nobody reads along
}

func listenSyslog(path string) (*syslogd, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("syslog socket: %w", err)
	}
	s := &syslogd{conn: conn, done: make(chan struct{})}
	go s.receive()
	return s, nil
}

func (s *syslogd) receive() {
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		s.keep(time.Now().UTC(), string(bytes.TrimRight(buf[:n], "\x00\n")))
	}
}

// libc's syslog(3): <22>Nov 23 10:00:00 postfix/smtpd[123]: message
var datagramPattern = regexp.MustCompile(`(?s)^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d ([^\[: ]+)(?:\[(\d+)\])?: (.*)$`)

func (s *syslogd) keep(at time.Time, datagram string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := datagramPattern.FindStringSubmatch(datagram)
	if m == nil {
		s.odd = append(s.odd, datagram)
		return
	}
	priority, _ := strconv.Atoi(m[1]) // digits, by the pattern
	line := logLine{at: at, priority: priority, tag: m[2], pid: m[3], message: m[4]}
	s.lines = append(s.lines, line)
	if s.file != nil {
		if _, err := s.file.Write(formatLines([]logLine{line}, logLine.rfc3339)); err != nil {
			s.odd = append(s.odd, err.Error())
		}
	}
}

// writeTo has every line written to a file as well.
func (s *syslogd) writeTo(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := file.Write(formatLines(s.lines, logLine.rfc3339)); err != nil {
		return err
	}
	s.file = file
	return nil
}

// close stops the socket and returns what came in.
func (s *syslogd) close() ([]logLine, error) {
	err := s.conn.Close()
	<-s.done
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	if len(s.odd) > 0 {
		return nil, fmt.Errorf("syslog datagram not understood: %q", s.odd[0])
	}
	return s.lines, err
}

// text is the log so far in RFC 3164 form.
func (s *syslogd) text() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return formatLines(s.lines, logLine.rfc3164)
}

func formatLines(lines []logLine, format func(logLine, *bytes.Buffer)) []byte {
	var out bytes.Buffer
	for _, line := range lines {
		format(line, &out)
	}
	return out.Bytes()
}

// rfc3164 is rsyslog's RSYSLOG_TraditionalFileFormat.
func (l logLine) rfc3164(out *bytes.Buffer) { l.plain(out, time.Stamp) }

// rfc3339 is rsyslog's RSYSLOG_FileFormat, Debian's default since 12.
func (l logLine) rfc3339(out *bytes.Buffer) { l.plain(out, "2006-01-02T15:04:05.000000-07:00") }

func (l logLine) plain(out *bytes.Buffer, layout string) {
	fmt.Fprintf(out, "%s %s %s", l.at.Format(layout), hostName, l.tag)
	if l.pid != "" {
		fmt.Fprintf(out, "[%s]", l.pid)
	}
	fmt.Fprintf(out, ": %s\n", escapeControls(l.message))
}

// escapeControls writes control bytes as rsyslog does: # and three octal digits.
func escapeControls(text string) string {
	var out bytes.Buffer
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			fmt.Fprintf(&out, "#%03o", text[i])
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// bootID is any: journal files want one.
const bootID = "5f3a9c0e7d1b4a62880c41d6e2b97f13"

// export is the Journal Export Format, with the fields that journald adds to a
// line from /dev/log.
func (l logLine) export(out *bytes.Buffer) {
	micros := l.at.UnixMicro()
	field(out, "__REALTIME_TIMESTAMP", strconv.FormatInt(micros, 10))
	field(out, "__MONOTONIC_TIMESTAMP", strconv.FormatInt(micros%1e12, 10))
	field(out, "_BOOT_ID", bootID)
	field(out, "_TRANSPORT", "syslog")
	field(out, "_HOSTNAME", hostName)
	field(out, "PRIORITY", strconv.Itoa(l.priority&7))
	field(out, "SYSLOG_FACILITY", strconv.Itoa(l.priority>>3))
	field(out, "SYSLOG_IDENTIFIER", l.tag)
	if l.pid != "" {
		field(out, "SYSLOG_PID", l.pid)
		field(out, "_PID", l.pid)
	}
	field(out, "SYSLOG_TIMESTAMP", l.at.Format(time.Stamp)+" ")
	field(out, "_SYSTEMD_UNIT", unitOf(l.tag))
	field(out, "MESSAGE", l.message)
	out.WriteByte('\n')
}

func unitOf(tag string) string {
	if tag == "dovecot" {
		return "dovecot.service"
	}
	return "postfix@-.service"
}

// field writes one field; a value that is not plain text goes with its length.
func field(out *bytes.Buffer, name, value string) {
	if isPlain(value) {
		fmt.Fprintf(out, "%s=%s\n", name, value)
		return
	}
	out.WriteString(name + "\n")
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	out.WriteString(value + "\n")
}

func isPlain(value string) bool {
	if !utf8.ValidString(value) {
		return false
	}
	for _, r := range value {
		if unicode.IsControl(r) && r != '\t' {
			return false
		}
	}
	return true
}
