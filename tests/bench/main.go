// Command bench times csmail scan, which judges by all shipped scenarios, beside
// the shell pipeline that it replaces and beside csmail's other commands, on one
// generated log, turn by turn in one run, and prints the ratios. Machines differ and
// are noisy; ratios of the same run hold.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// rival is a command that csmail is timed against.
type rival struct{ name, script string }

const (
	pattern = `UGFzc3dvcmQ6|not resolve|reject`
	address = `([0-9]{1,3}\.){3}[0-9]{1,3}`
)

func main() {
	csmail := flag.String("csmail", "bin/csmail", "the csmail binary")
	lines := flag.Int("lines", 1_000_000, "lines of the generated log")
	runs := flag.Int("runs", 5, "runs of each command")
	flag.Parse()
	if err := bench(*csmail, *lines, *runs); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func bench(csmail string, lines, runs int) error {
	dir, err := os.MkdirTemp("", "csmail-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := filepath.Join(dir, "mail.log")
	if err := generate(log, lines); err != nil {
		return err
	}
	ours := rival{"csmail scan", fmt.Sprintf("%s scan -q -o raw %s", csmail, log)}
	rivals := append(searches(dir, log), rival{"wc -l", "wc -l " + log})
	for _, command := range []string{"backtest -q -o json", "events -q -o json", "scan -q --scenarios strict -o raw"} {
		rivals = append(rivals, rival{"csmail " + command, fmt.Sprintf("%s %s %s", csmail, command, log)})
	}
	fmt.Printf("%d lines, median of %d runs, taken in turn\n", lines, runs)
	for _, r := range rivals {
		if err := compare(ours, r, lines, runs); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("fail2ban-regex"); err != nil {
		fmt.Println("fail2ban-regex is not installed, so not compared")
		return nil
	}
	runs = (runs + 1) / 2 // it takes the better part of a minute
	fmt.Printf("%d lines, median of %d runs, taken in turn\n", lines, runs)
	return compare(ours, rival{"fail2ban-regex", fmt.Sprintf("fail2ban-regex --print-no-missed %s 'postfix[mode=aggressive]'", log)}, lines, runs)
}

// searches are the pipelines that find the addresses of three kinds of lines, in the
// locale of a container and in that of an installed system, in which sort is slower.
func searches(dir, log string) []rival {
	const container, installed = "C.UTF-8", "en_US.UTF-8"
	locales := []string{container}
	if err := exec.Command("localedef", "-i", "en_US", "-f", "UTF-8", filepath.Join(dir, installed)).Run(); err != nil {
		fmt.Printf("localedef cannot make %s, so the searches are not compared in it: %v\n", installed, err)
	} else {
		locales = append(locales, installed)
	}
	var rivals []rival
	for _, locale := range locales {
		setup := "export LC_ALL=" + locale
		if locale == installed {
			setup += " LOCPATH=" + dir
		}
		rivals = append(rivals, rival{"grep pipeline, " + locale, fmt.Sprintf(`%s; grep -E '%s' %s | grep -oE '%s' | sort | uniq`, setup, pattern, log, address)})
		if _, err := exec.LookPath("rg"); err == nil {
			rivals = append(rivals, rival{"ripgrep pipeline, " + locale, fmt.Sprintf(`%s; rg '%s' %s | rg -o '%s' | sort | uniq`, setup, pattern, log, address)})
		}
	}
	return rivals
}

// run is what one run of a command took: seconds on the clock and of all
// processors, and the memory of its largest process in KB.
type run struct {
	wall, cpu float64
	memory    int64
}

// compare runs both in turn and prints the medians of the paired ratios.
func compare(ours, theirs rival, lines, runs int) error {
	var wall, cpu, own []float64
	var memory int64
	for i := range runs + 1 {
		a, err := measure(ours.script)
		if err != nil {
			return err
		}
		b, err := measure(theirs.script)
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warms the page cache
		}
		memory = max(memory, a.memory)
		wall, cpu, own = append(wall, b.wall/a.wall), append(cpu, b.cpu/a.cpu), append(own, a.wall)
	}
	fmt.Printf("%-38s takes %5.2f times as long as csmail scan (%.1f to %.1f) and %5.2f times its processor time; csmail: %.2f million lines/s, %d MB resident\n",
		theirs.name, median(wall), slices.Min(wall), slices.Max(wall), median(cpu), float64(lines)/median(own)/1e6, memory>>10)
	return nil
}

func measure(script string) (run, error) {
	c := exec.Command("sh", "-c", "exec >/dev/null; "+script)
	start := time.Now()
	out, err := c.CombinedOutput()
	wall := time.Since(start).Seconds()
	if err != nil {
		return run{}, fmt.Errorf("%s: %w: %s", script, err, out)
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return run{}, errors.New("no resource usage on this system")
	}
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	return run{wall, cpu.Seconds(), usage.Maxrss}, nil
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
