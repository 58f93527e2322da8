package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"

	"csmail/pkg/hint"
	"csmail/pkg/render"
)

// colorModes are the values of --color. cscli's words for the last two are yes and no,
// which are accepted as well.
var colorModes = []string{"auto", "always", "never"}

// checkColor returns an error for any other value.
func checkColor(mode string) error {
	if mode == "yes" || mode == "no" || slices.Contains(colorModes, mode) {
		return nil
	}
	advice := "auto colours what goes to a terminal"
	if meant := nearest(mode, colorModes); meant != "" {
		advice = fmt.Sprintf("did you mean %s?", meant)
	}
	return usageError{hint.Wrap(fmt.Errorf("--color %q not supported: must be one of auto, always, never", mode), "%s", advice)}
}

// screen describes where the result is read.
func (s Streams) screen() render.Screen {
	screen := render.Screen{Terminal: isTerminal(s.Out)}
	if screen.Terminal {
		if columns, _, err := term.GetSize(int(s.Out.(*os.File).Fd())); err == nil {
			screen.Columns = columns // else as wide as it likes
		}
	}
	screen.Color = s.hasColor(screen.Terminal)
	return screen
}

// hasColor reports whether the result is coloured. Where --color leaves it open,
// NO_COLOR (https://no-color.org) and a dumb terminal want none.
func (s Streams) hasColor(terminal bool) bool {
	mode := "auto"
	if s.color != nil {
		mode = cmp.Or(*s.color, mode)
	}
	switch mode {
	case "always", "yes":
		return true
	case "never", "no":
		return false
	}
	return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// isTerminal reports whether w is a terminal, and so likely read by a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
