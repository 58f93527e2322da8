package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
	"csmail/pkg/ruleset"
	"csmail/pkg/config"
	"csmail/pkg/scenario"
	"csmail/pkg/session"
	"csmail/pkg/syslogline"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	b, _ := os.ReadFile("/tmp/b/mail.log")
	all := string(b)
	best := map[string]time.Duration{}
	note := func(name string, from time.Duration) {
		d := cpu() - from
		if old, ok := best[name]; !ok || d < old {
			best[name] = d
		}
	}
	set, err := ruleset.Load([]string{"balanced"})
	if err != nil {
		panic(err)
	}
	var c config.Config
	_ = c
	f, _ := os.Create("/tmp/b/stage.prof")
	pprof.StartCPUProfile(f)
	for range 5 {
		eng := engine.New(engine.Options{Scenarios: set, Limits: scenario.Limits{Texts: scenario.NoEvidence}, Guard: guard.New(guard.Facts{}, guard.Options{})})
		j := session.New()
		_ = j
		col := report.NewCollector(report.Scope{})
		var parse, join, judge, collect time.Duration
		rest := all
		recs := make([]event.Record, 0, 2100)
		var rep engine.Repeater
		var num int64
		for rest != "" {
			n := min(len(rest), 256<<10)
			k := strings.LastIndexByte(rest[:n], '\n') + 1
			block := rest[:k]
			rest = rest[k:]
			t := cpu()
			var p engine.Parser
			recs = recs[:0]
			line := syslogline.Line{Zone: time.UTC, Received: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
			for block != "" {
				num++
				line.Number = num
				line.Text, block, _ = strings.Cut(block, "\n")
				if len(recs) < cap(recs) {
					recs = recs[:len(recs)+1]
				} else {
					recs = append(recs, event.Record{})
				}
				r := &recs[len(recs)-1]
				p.Parse(&line, r)
				if r.Outcome < event.Witness {
					recs = recs[:len(recs)-1]
				}
			}
			t2 := cpu()
			parse += t2 - t
			res := make([]engine.Result, len(recs))
			for i := range recs {
				rep.Take(&recs[i])
				told := j.Join(&recs[i])
				res[i] = engine.Result{Record: &recs[i], Folded: told == session.Folded, Repeated: told == session.Again}
			}
			t3 := cpu()
			join += t3 - t2
			for i := range res {
				res[i].Findings = eng.Judge(res[i])
				for k := range res[i].Findings {
					_ = k
				}
			}
			t4 := cpu()
			judge += t4 - t3
			for i := range res {
				res[i].Findings = nil
				col.Add(res[i])
			}
			t5 := cpu()
			collect += t5 - t4
		}
		for n, d := range map[string]time.Duration{"1parse": parse, "2join": join, "3judge": judge, "4collect": collect} {
			if old, ok := best[n]; !ok || d < old {
				best[n] = d
			}
		}
		_ = note
	}
	pprof.StopCPUProfile()
	for _, n := range []string{"1parse", "2join", "3judge", "4collect"} {
		fmt.Println(n, best[n])
	}
}
