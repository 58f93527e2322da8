//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// growingLog is a log file that is written piece by piece, also in the middle of
// a line, and rotated by renaming and by copying and truncating.
type growingLog struct {
	path    string
	lines   []stamped
	random  *rand.Rand
	rotated int
}

// kept is how many rotated logs there are, as logrotate keeps some.
const kept = 3

// grow writes n lines, spread over about that time.
func (g *growingLog) grow(n int, over time.Duration) error {
	n = min(n, len(g.lines))
	part := g.lines[:n]
	g.lines = g.lines[n:]
	pieces := 1 + g.random.IntN(8)
	for i := range pieces {
		if err := g.write(part[len(part)*i/pieces : len(part)*(i+1)/pieces]); err != nil {
			return err
		}
		pause := time.NewTimer(over / time.Duration(pieces))
		<-pause.C
		if g.random.IntN(12) == 0 {
			if err := g.rotate(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *growingLog) write(lines []stamped) error {
	text := ""
	for _, l := range lines {
		text += l.text
	}
	file, err := os.OpenFile(g.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	half := 0
	if len(text) > 0 {
		half = g.random.IntN(len(text))
	}
	for _, part := range []string{text[:half], text[half:]} {
		if _, err := file.WriteString(part); err != nil {
			return err
		}
	}
	return file.Close()
}

func (g *growingLog) rotate() error {
	g.rotated++
	for i := kept - 1; i > 0; i-- {
		if err := os.Rename(g.old(i), g.old(i+1)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if g.random.IntN(2) == 0 {
		if err := os.Rename(g.path, g.old(1)); err != nil {
			return err
		}
		return g.write(nil)
	}
	text, err := os.ReadFile(g.path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(g.old(1), text, 0o640); err != nil {
		return err
	}
	return os.Truncate(g.path, 0)
}

func (g *growingLog) old(n int) string {
	return filepath.Join(filepath.Dir(g.path), fmt.Sprintf("mail.log.%d", n))
}
