package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"

	"csmail/pkg/hint"
)

const (
	// answerTimeout bounds how long the daemon takes for one question.
	answerTimeout = 10 * time.Second
	// takeTimeout bounds how long the asker takes for the answer.
	takeTimeout = 20 * time.Second

	maxHeader = 16 << 10 // bytes
)

// socketMode lets owner and group ask.
const socketMode = 0o660

// Listen opens the socket. A socket that a dead daemon left behind is replaced; one with
// a live listener is an error.
func Listen(path string) (net.Listener, error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	// A socket that refuses connections is dead. A busy one has a full backlog (EAGAIN,
	// unix(7)) and must not be removed.
	if err == nil || errors.Is(err, syscall.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, hint.Wrap(fmt.Errorf("the control socket %q: another csmail listens on it", path), "csmail status asks it; systemctl status csmail shows its process")
	}
	info, statErr := os.Lstat(path)
	if errors.Is(err, syscall.ECONNREFUSED) && statErr == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("the control socket: %w", err)
		}
	}
	l, err := listenClosed(path)
	if err == nil {
		err = os.Chmod(path, socketMode)
	}
	if err != nil {
		if l != nil {
			l.Close()
		}
		return nil, hint.Wrap(fmt.Errorf("the control socket: %w", err), "its folder must be there and writable for csmail; the key is socket")
	}
	return l, nil
}

// listenClosed listens on a socket that is not open to others for a moment either. The
// file mode mask could do that too, but it is the whole process's: a file that another
// goroutine creates meanwhile would get it. Linux takes the mode of the new file from the
// socket itself, less the mask (unix_bind in net/unix/af_unix.c, 2.6 to 6.x); systems
// that refuse to set it there go by the mask alone.
func listenClosed(path string) (net.Listener, error) {
	var config net.ListenConfig
	config.Control = func(_, _ string, c syscall.RawConn) error {
		var err error
		if failed := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), socketMode) }); failed != nil {
			return failed
		}
		if runtime.GOOS != "linux" {
			return nil
		}
		return err
	}
	return config.Listen(context.Background(), "unix", path)
}

// NewServer answers for d. The caller calls Serve and Shutdown.
func NewServer(d Daemon) *http.Server {
	mux := http.NewServeMux()
	s := server{d}
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /why", s.why)
	mux.HandleFunc("GET /report", s.report)
	mux.HandleFunc("POST /unban", s.unban)
	mux.HandleFunc("POST /probe", s.probe)
	mux.HandleFunc("POST /handover", s.handOver)
	mux.HandleFunc("GET /list/{list}", s.list)
	mux.HandleFunc("POST /list/{list}/{move}", s.move)
	return &http.Server{
		Handler:        http.TimeoutHandler(mux, answerTimeout, `{"error":"the daemon is too busy to answer"}`),
		ReadTimeout:    answerTimeout,
		WriteTimeout:   answerTimeout + takeTimeout,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: maxHeader,
	}
}

type server struct{ daemon Daemon }

// problem is the body of every answer but 200.
type problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func answer(w http.ResponseWriter, body any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		body = problem{err.Error(), hint.Of(err)}
	}
	// An error here means that the client is gone, so there is no one to report it to.
	_ = json.NewEncoder(w).Encode(body)
}

func (s server) status(w http.ResponseWriter, r *http.Request) {
	status, err := s.daemon.Status(r.Context())
	answer(w, status, err)
}

func (s server) why(w http.ResponseWriter, r *http.Request) {
	addr, err := netip.ParseAddr(r.URL.Query().Get("ip"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	why, err := s.daemon.Why(r.Context(), addr.Unmap())
	answer(w, why, err)
}

func (s server) report(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	since, err := time.Parse(time.RFC3339, query.Get("since"))
	var until time.Time
	if text := query.Get("until"); err == nil && text != "" {
		until, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	report, err := s.daemon.Report(r.Context(), since, until, query.Get("zone"))
	answer(w, report, err)
}

func (s server) unban(w http.ResponseWriter, r *http.Request) {
	network, err := ParseNetwork(r.URL.Query().Get("ip"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	done, err := s.daemon.Unban(r.Context(), network)
	answer(w, done, err)
}

func (s server) handOver(w http.ResponseWriter, r *http.Request) {
	answer(w, struct{}{}, s.daemon.HandOver(r.Context()))
}

func (s server) probe(w http.ResponseWriter, r *http.Request) {
	client, err := netip.ParseAddrPort(r.URL.Query().Get("client"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	answer(w, struct{}{}, s.daemon.Probe(r.Context(), client))
}

// ParseNetwork reads an address, which is a network of full length, or a network, given
// by any address in it. Those of ::ffff:0:0/96 are IPv4's.
func ParseNetwork(text string) (netip.Prefix, error) {
	const mapped = 96
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, addrErr := netip.ParseAddr(text)
		if addrErr != nil || addr.Zone() != "" {
			return netip.Prefix{}, hint.Wrap(fmt.Errorf("%q is neither an address nor a network", text), "write it like 192.0.2.1, 2001:db8::1, 192.0.2.0/24 or 2001:db8::/48")
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if addr := network.Addr(); addr.Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), nil
}

func (s server) list(w http.ResponseWriter, r *http.Request) {
	list, err := listOf(r)
	if err != nil {
		answer(w, nil, err)
		return
	}
	alerts, err := s.daemon.List(r.Context(), list)
	answer(w, alerts, err)
}

func (s server) move(w http.ResponseWriter, r *http.Request) {
	list, err := listOf(r)
	move := Move(r.PathValue("move"))
	if err == nil && move != Release && move != Retry && move != Drop {
		err = fmt.Errorf("unknown action %q", move)
	}
	id := r.URL.Query().Get("id")
	if err == nil && id == "" {
		err = errors.New("no alert is named")
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	n, err := s.daemon.Move(r.Context(), list, id, move)
	answer(w, moved{n}, err)
}

// moved says how many alerts a move found.
type moved struct {
	Moved int `json:"moved"`
}

func listOf(r *http.Request) (List, error) {
	list := List(r.PathValue("list"))
	if list != Outbox && list != Parked && list != Held {
		return "", errors.New("no list of that name")
	}
	return list, nil
}
