// Command bench times csmail scan, which judges by all shipped scenarios, beside
// the shell pipeline that it replaces, beside other log analysers, beside another
// csmail binary and beside csmail's own other commands. Each is timed on generated
// logs of several shapes, turn by turn in one run, and the ratios are printed.
// Machines differ and are noisy; ratios of the same run hold.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// rival is a command that csmail is timed against.
type rival struct{ name, script string }

const (
	pattern = `UGFzc3dvcmQ6|not resolve|reject`
	address = `([0-9]{1,3}\.){3}[0-9]{1,3}`
)

// options are the flags.
type options struct {
	csmail, against, write, logs string
	lines, runs                  int
}

func main() {
	var o options
	flag.StringVar(&o.csmail, "csmail", "bin/csmail", "the csmail binary")
	flag.StringVar(&o.against, "against", "", "another csmail binary to compare with, and with nothing else")
	flag.StringVar(&o.write, "write", "", "a folder: write the logs there, NAME.log each, and time nothing")
	flag.StringVar(&o.logs, "logs", "", "the logs to use, by the start of their names, with commas between; default all")
	flag.IntVar(&o.lines, "lines", 1_000_000, "lines of each generated log")
	flag.IntVar(&o.runs, "runs", 5, "runs of each command")
	flag.Parse()
	if err := bench(o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func bench(o options) error {
	dir, err := os.MkdirTemp("", "csmail-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, shape := range shapes {
		if !o.wants(shape.name) {
			continue
		}
		if o.write != "" {
			if err := os.MkdirAll(o.write, 0o755); err != nil {
				return err
			}
			if err := generate(filepath.Join(o.write, shape.name+".log"), o.lines, shape.write); err != nil {
				return err
			}
			continue
		}
		log := filepath.Join(dir, shape.name+".log")
		if err := generate(log, o.lines, shape.write); err != nil {
			return err
		}
		fmt.Printf("\n%s.log: %s; %d lines, median of %d runs, taken in turn\n", shape.name, shape.about, o.lines, o.runs)
		if err := o.time(dir, log, shape); err != nil {
			return err
		}
		if err := os.Remove(log); err != nil {
			return err
		}
	}
	return nil
}

// wants reports whether the log of a name is to be used.
func (o options) wants(name string) bool {
	return slices.ContainsFunc(strings.Split(o.logs, ","), func(start string) bool { return strings.HasPrefix(name, start) })
}

// time compares csmail with all its rivals on one log.
func (o options) time(dir, log string, s shape) error {
	ours := scan(o.csmail, log)
	if o.against != "" {
		return compare(ours, rival{"the other csmail", scan(o.against, log).script}, o.lines, o.runs)
	}
	if strings.HasPrefix(s.name, "worst") {
		return o.isLinear(dir, log, s)
	}
	rivals := append(searches(dir, log), rival{"wc -l", "wc -l " + log})
	for _, command := range []string{"backtest -q -o json", "events -q -o json", "report -q -o json", "scan -q --scenarios strict -o raw"} {
		rivals = append(rivals, rival{"csmail " + command, fmt.Sprintf("%s %s %s", o.csmail, command, log)})
	}
	for _, r := range rivals {
		if err := compare(ours, r, o.lines, o.runs); err != nil {
			return err
		}
	}
	for _, r := range []rival{
		{"pflogsumm", "pflogsumm " + log},
		{"fail2ban-regex", fmt.Sprintf("fail2ban-regex --print-no-missed %s 'postfix[mode=aggressive]'", log)},
	} {
		if _, err := exec.LookPath(r.name); err != nil {
			fmt.Println(r.name, "is not installed, so not compared")
			continue
		}
		if err := compare(ours, r, o.lines, (o.runs+1)/2); err != nil { // they take up to a minute
			return err
		}
	}
	return nil
}

// isLinear compares a log with one that is twice as long.
func (o options) isLinear(dir, log string, s shape) error {
	twice := filepath.Join(dir, s.name+"-twice.log")
	if err := generate(twice, 2*o.lines, s.write); err != nil {
		return err
	}
	defer os.Remove(twice)
	return compare(scan(o.csmail, log), rival{"twice as many lines", scan(o.csmail, twice).script}, o.lines, o.runs)
}

func scan(csmail, log string) rival {
	return rival{"csmail scan", fmt.Sprintf("%s scan -q -o raw %s", csmail, log)}
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
	return run{wall, cpu.Seconds(), int64(usage.Maxrss)}, nil
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
