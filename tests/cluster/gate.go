package cluster

import (
	"io"
	"net"
	"sync"
)

// Gate is a way to a server that can be cut, as if a cable was pulled out.
type Gate struct {
	Addr string // where clients connect to

	listener net.Listener
	target   string
	group    sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	open  map[net.Conn]bool
}

// NewGate opens a way to a TCP address. The caller closes it.
func NewGate(target string) (*Gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Gate{Addr: l.Addr().String(), listener: l, target: target, open: map[net.Conn]bool{}}
	g.group.Go(g.serve)
	return g, nil
}

// Close ends it and all connections.
func (g *Gate) Close() {
	_ = g.listener.Close()
	g.Cut(true)
	g.group.Wait()
}

// Cut ends all connections and lets no new ones through, or lets them through again.
func (g *Gate) Cut(isCut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isCut = isCut
	for c := range g.open {
		if isCut {
			_ = c.Close()
		}
	}
}

func (g *Gate) serve() {
	for {
		from, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.group.Go(func() { g.carry(from) })
	}
}

// carry carries what both sides say until one of them ends.
func (g *Gate) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer to.Close()
	if !g.note(from, to) {
		return
	}
	defer g.forget(from, to)
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		group.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	group.Wait()
}

func (g *Gate) note(all ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range all {
		g.open[c] = true
	}
	return !g.isCut
}

func (g *Gate) forget(all ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range all {
		delete(g.open, c)
	}
}
