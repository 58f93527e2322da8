package cli

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// banningLAPI has a ban on 203.0.113.7, one on its network 203.0.113.0/24 and a
// simulated one on 2001:db8:0:1::/64, until they are ended.
type banningLAPI struct {
	mu    sync.Mutex
	ended [4]bool
}

func (l *banningLAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch number, isDecision := strings.CutPrefix(r.URL.Path, "/v1/decisions/"); {
	case r.URL.Path == "/v1/watchers/login":
		fmt.Fprint(w, `{"code":200,"expire":"2036-06-03T04:11:11Z","token":"t"}`)
	case isDecision && r.Method == http.MethodDelete:
		l.ended[number[0]-'0'] = true
		fmt.Fprint(w, `{"nbDeleted":"1"}`)
	case r.URL.Path == "/v1/alerts":
		fmt.Fprintf(w, "[%s,%s,%s]", l.alert(1, "Ip", "203.0.113.7", false), l.alert(2, "Range", "203.0.113.0/24", false), l.alert(3, "Range", "2001:db8:0:1::/64", true))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// alert has one decision of its own number.
func (l *banningLAPI) alert(number int, scope, value string, simulated bool) string {
	left := "4h0m0s"
	if l.ended[number] {
		left = "-1s"
	}
	return fmt.Sprintf(`{"id":%d,"scenario":"csmail/auth-bf","message":"m","created_at":"2026-06-03T04:11:11Z","source":{"scope":%q,"value":%q},
		"decisions":[{"id":%d,"type":"ban","scope":%q,"value":%q,"origin":"crowdsec","scenario":"csmail/auth-bf","duration":%q,"simulated":%t}]}`,
		number, scope, value, number, scope, value, left, simulated)
}
