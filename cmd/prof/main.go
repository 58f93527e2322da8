package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"csmail/pkg/cli"
)

func main() {
	f, _ := os.Create(os.Getenv("PROF"))
	pprof.StartCPUProfile(f)
	t := time.Now()
	cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	d := time.Since(t)
	pprof.StopCPUProfile()
	f.Close()
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	fmt.Fprintf(os.Stderr, "wall %v user %v sys %v rss %d\n", d, time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano()), u.Maxrss)
}
