package state

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writer makes this test binary a process that commits to a state file until it
// is killed.
const writer = "CSMAIL_TEST_WRITER"

// write goes on where the file ends: each commit is one input, one alert and the
// cursor, and each tenth is followed by a checkpoint. It prints what is done.
func write(path string) {
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	cursors, err := s.Cursors()
	for err == nil {
		n, _ := strconv.Atoi(cursors["mail.log"]) // none at first
		n++
		cursors["mail.log"] = strconv.Itoa(n)
		a := entry(n % 250)
		a.Alert.Count, a.Alert.Last = n, now.Add(time.Duration(n)*time.Hour)
		err = s.Commit(Batch{Inputs: []Input{record(n)}, Cursors: cursors, Alerts: []Entry{a}})
		if n%10 == 0 {
			large := strings.Repeat(" ", n/10%2*2*partSize) // each second one goes to the file in parts
			err = errors.Join(err, draft(s, strconv.Itoa(n)+large).Store(s.Mark(), Beside{}))
		}
		fmt.Println(n)
	}
	fmt.Println(err)
	os.Exit(1)
}

// Whenever the process is killed: checkpoint, inputs, cursor and outbox say the
// same, and nothing that was committed is missing.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	p := path(t)
	done := 0
	for range 12 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), writer+"="+p)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(25) {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
			if done, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		must(t, child.Process.Kill())
		for lines.Scan() { // it may have gone on until then
			done, err = strconv.Atoi(lines.Text())
			must(t, err)
		}
		_ = child.Wait() // killed
		wantAgreement(t, p, done)
	}
}

func wantAgreement(t *testing.T, p string, done int) {
	t.Helper()
	s, err := Open(p, Options{})
	must(t, err)
	defer s.Close()
	got, cursors := recovered(t, s)
	last := 0
	for _, line := range got {
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "state "), "mail.log line ")))
		must(t, err)
		if last != 0 && n != last+1 {
			t.Errorf("%d after %d", n, last)
		}
		last = n
	}
	pending, err := s.Pending(0, 1<<20)
	must(t, err)
	if last < done || cursors["mail.log"] != strconv.Itoa(last) || len(pending) != last || pending[last-1].Alert.Count != last {
		t.Errorf("%d done, %d recovered, cursor %s, %d alerts", done, last, cursors["mail.log"], len(pending))
	}
}
