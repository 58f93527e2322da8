package dovecot

import (
	"testing"

	"csmail/pkg/event"
)

const elements = "user=<u@example.org>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, TLS, session=<abc+/>"

// Dovecot 1.0 does not count attempts: there was one if the line has a user and a method.
func TestEndsOfDovecot10(t *testing.T) {
	const client = "rip=::ffff:192.0.2.1, lip=::ffff:198.51.100.1"
	for message, want := range map[string]event.Kind{
		"imap-login: Aborted login: user=<a>, method=PLAIN, " + client + ", TLS":               event.AuthFailed,
		"pop3-login: Disconnected: user=<a@example.org>, method=CRAM-MD5, " + client:           event.AuthFailed,
		"imap-login: Info: Disconnected: user=<a>, method=plain, " + client:                    event.AuthFailed,
		"imap-login: Aborted login: " + client + ", TLS":                                       event.NoKind,
		"imap-login: Disconnected: user=<>, method=PLAIN, " + client:                           event.NoKind,
		"imap-login: Disconnected: user=<a>, " + client:                                        event.NoKind,
		"imap-login: Disconnected: user=<a>, method=, " + client:                               event.NoKind,
		"imap-login: Disconnected: Inactivity: user=<a>, method=PLAIN, " + client:              event.NoKind,
		"imap-login: Disconnected: Shutting down: user=<a>, method=PLAIN, " + client + ", TLS": event.NoKind,
	} {
		var e event.Event
		outcome, _ := Parse(message, &e)
		if e.Kind != want || (outcome == event.Noted) != (want != event.NoKind) || want != event.NoKind && (e.Addr.String() != "192.0.2.1" || e.Attempts != 1) {
			t.Errorf("%s: got %s, %s of %s, want %s", message, outcome, e.Kind, e.Addr, want)
		}
	}
}

func TestLogin(t *testing.T) {
	tests := map[string]struct {
		outcome event.Outcome
		kind    event.Kind
		n       int
	}{
		"imap-login: Login":     {event.Noted, event.LoginOK, 1},
		"pop3-login: Logged in": {event.Noted, event.LoginOK, 1},
		"imap-login: Disconnected (auth failed, 3 attempts in 12 secs)":                                                                                    {event.Noted, event.AuthFailed, 3},
		"imap-login: Aborted login (1 authentication attempts)":                                                                                            {event.Noted, event.AuthFailed, 1},
		"pop3-login: Disconnected (7 authentication attempts)":                                                                                             {event.Noted, event.AuthFailed, 7},
		"imap-login: Info: Disconnected: Inactivity (2 authentication attempts)":                                                                           {event.Noted, event.AuthFailed, 2},
		"imap-login: Disconnected: Auth failed, 3 attempts in 14 secs":                                                                                     {event.Missed, event.NoKind, 0},
		"pop3-login: Login aborted: Authentication failed":                                                                                                 {event.Missed, event.NoKind, 0},
		"imap-login: Disconnected: Connection closed, no attempts":                                                                                         {event.Missed, event.NoKind, 0},
		"imap-login: Disconnected: Auth process broken":                                                                                                    {event.Benign, event.NoKind, 0},
		"imap-login: Aborted login (x authentication attempts)":                                                                                            {event.Missed, event.NoKind, 0},
		"imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs)":                                                                               {event.Noted, event.AuthFailed, 1},
		"imap-login: Aborted login (auth failed, 2 attempts)":                                                                                              {event.Noted, event.AuthFailed, 2},
		"imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 2 secs)":                                                       {event.Noted, event.AuthFailed, 1},
		"imap-login: Disconnected: Connection closed: read(size=595) failed: Connection reset by peer (auth failed, 4 attempts in 2 secs)":                 {event.Noted, event.AuthFailed, 4},
		"submission-login: Login aborted: Logged out (auth failed, 5 attempts in 2 secs) (auth_failed)":                                                    {event.Noted, event.AuthFailed, 5},
		"imap-login: Login aborted: Connection closed (no auth attempts in 0 secs) (no_auth_attempts)":                                                     {event.Noted, event.NoAuth, 1},
		"imap-login: Login aborted: x (internal failure, 1/1 successful auths in 3 secs) (temp_fail)":                                                      {event.Noted, event.AuthFault, 1},
		"imap-login: Disconnected: Timeout while finishing login (waited 30 secs) (internal failure, 1 attempts in 30 secs)":                               {event.Noted, event.AuthFault, 1},
		"imap-login: Disconnected: Timeout while finishing login (waited 30 secs)":                                                                         {event.Benign, event.NoKind, 0},
		"pop3-login: Login aborted: Timeout while finishing login (waited 30 secs) (internal failure, 1/1 successful auths in 30 secs) (internal_failure)": {event.Noted, event.AuthFault, 1},
		"imap-login: Disconnected: Inactivity (no auth attempts in 180 secs)":                                                                              {event.Noted, event.NoAuth, 1},
		"imap-login: Disconnected (tried to use disallowed plaintext auth)":                                                                                {event.Noted, event.LoginRefused, 1},
		"imap-login: Disconnected (auth service reported temporary failure)":                                                                               {event.Noted, event.AuthFault, 1},
		"imap-login: Disconnected (client didn't finish SASL auth, waited 3 secs)":                                                                         {event.Noted, event.AuthAborted, 1},
		"imap-login: Disconnected (disconnected while authenticating, waited 3 secs)":                                                                      {event.Noted, event.AuthAborted, 1},
		"imap-login: Disconnected: Shutting down (disconnected while authenticating, waited 3 secs)":                                                       {event.Benign, event.NoKind, 0},
		"imap-login: Disconnected (disconnected while authenticating, waited 30 secs)":                                                                     {event.Benign, event.NoKind, 0},
		"imap-login: Disconnected (disconnected while authenticating, waited x secs)":                                                                      {event.Benign, event.NoKind, 0},
		"imap-login: Disconnected (disconnected while finishing login, waited 3 secs)":                                                                     {event.Benign, event.NoKind, 0},
		"imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)":                                                 {event.Benign, event.NoKind, 0},
		"imap-login: Disconnected: Inactivity":                                                                                                             {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u,192.0.2.9:143): started proxying to 192.0.2.9:143 (0.1 secs)":                                                                 {event.Noted, event.LoginOK, 1},
		"imap-login: proxy(u): Login failed to 192.0.2.9:143: [AUTHENTICATIONFAILED] Authentication failed.":                                               {event.Noted, event.AuthFailed, 1},
		"imap-login: proxy(u): Login failed to 192.0.2.9:143 as u@example.org: [AUTHENTICATIONFAILED] x":                                                   {event.Noted, event.AuthFailed, 1},
		"pop3-login: proxy(u): Login failed to 192.0.2.9:110: [AUTH] Authentication failed.":                                                               {event.Noted, event.AuthFailed, 1},
		"imap-login: proxy(u,192.0.2.9:143): Started proxying to <192.0.2.9> (4.015 secs)":                                                                 {event.Noted, event.LoginOK, 1},
		"imap-login: proxy(u,192.0.2.9:143): Started proxying to remote host (4.027 secs)":                                                                 {event.Noted, event.LoginOK, 1},
		"imap-login: proxy(u,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] Authentication failed.":                                                  {event.Noted, event.AuthFailed, 1},
		"pop3-login: proxy(u,192.0.2.9:110): Login failed: [AUTH] Authentication failed.":                                                                  {event.Noted, event.AuthFailed, 1},
		"imap-login: proxy(u,192.0.2.9:143): Login failed: [UNAVAILABLE] Temporary authentication failure.":                                                {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u,192.0.2.9:143): Login failedly: [AUTH] Authentication failed.":                                                                {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u): Login failed to 192.0.2.9:143: [UNAVAILABLE] Temporary authentication failure.":                                             {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u): Login failed to 192.0.2.9:143: Authentication failed: Temporary failure":                                                    {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u): Login failed to 192.0.2.9:143: Connection refused":                                                                          {event.Benign, event.NoKind, 0},
		"imap-login: proxy(x): Login failed to y: [AUTH] z): Login failed to 192.0.2.9:143: x":                                                             {event.Benign, event.NoKind, 0},
		"imap-login: proxy(u,192.0.2.9:143): disconnecting 192.0.2.1 (Disconnected by server)":                                                             {event.Benign, event.NoKind, 0},
		"imap-login: ID sent: name=x":                                         {event.Benign, event.NoKind, 0},
		"imap-login: Internal login failure (pid=1 id=2)":                     {event.Noted, event.AuthFault, 1},
		"imap-login: Something new (of a kind)":                               {event.Missed, event.NoKind, 0},
		"imap-login: Disconnected (something new)":                            {event.Missed, event.NoKind, 1},
		"imap-login: Login aborted: x (y) (new_reason)":                       {event.Missed, event.NoKind, 1},
		"imap-login: Login aborted: x (no auth attempts in 0 secs)":           {event.Noted, event.NoAuth, 1},
		"imap-login: Disconnected (no auth attempts in 0 secs) (auth_failed)": {event.Noted, event.NoAuth, 1},
		"imap-login: Disconnected (auth failed, 0 attempts in 0 secs)":        {event.Noted, event.AuthFailed, 1},
		"imap-login: Disconnected (auth failed, 65536 attempts in 9 secs)":    {event.Noted, event.AuthFailed, 1},
		"imap-login: Disconnected (auth failed, 65535 attempts in 9 secs)":    {event.Noted, event.AuthFailed, 65535},
		"imap-login: Disconnected (auth failed, 3 tries in 9 secs)":           {event.Noted, event.AuthFailed, 1},
		"imap-login: Disconnected (auth failed, some attempts in 9 secs)":     {event.Noted, event.AuthFailed, 1},
	}
	for said, want := range tests {
		var e event.Event
		outcome, _ := Parse(said+": "+elements, &e)
		if outcome != want.outcome || e.Kind != want.kind || outcome == event.Noted && e.Attempts != want.n {
			t.Errorf("%s: got %s, %s, %d", said, outcome, e.Kind, e.Attempts)
		}
		if outcome == event.Noted && (e.Addr.String() != "192.0.2.1" || e.User != "u@example.org" || e.Session != "abc+/") {
			t.Errorf("%s: got %s, %q, %q", said, e.Addr, e.User, e.Session)
		}
	}
}

// A format of the admin's own, with the user last: his name must not give the
// address.
func TestUserLast(t *testing.T) {
	for _, line := range []string{
		"imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 10 secs): method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, user=<x: user=<a>, rip=203.0.113.6, session=<b>",
		"imap-login: ID sent: name=x (auth failed, 9 attempts in 2 secs): user=<a>, rip=203.0.113.6, lip=198.51.100.1",
	} {
		var e event.Event
		if outcome, _ := Parse(line, &e); outcome == event.Noted {
			t.Errorf("%s: got %s of %s", line, e.Kind, e.Addr)
		}
	}
}

func TestElements(t *testing.T) {
	tests := map[string]struct {
		outcome event.Outcome
		addr    string
	}{
		"user=<>, rip=2001:db8::1, lip=2001:db8::2":                                                        {event.Noted, "2001:db8::1"},
		"user=<>, rip=::ffff:192.0.2.1, lip=::1":                                                           {event.Noted, "192.0.2.1"},
		"method=PLAIN, rip=192.0.2.1":                                                                      {event.Noted, "192.0.2.1"},
		"rip=192.0.2.1, lip=192.0.2.2":                                                                     {event.Noted, "192.0.2.1"},
		"user=<a>, rip=192.0.2.1x, lip=192.0.2.2":                                                          {event.Missed, ""},
		"user=<a>, lip=192.0.2.2":                                                                          {event.Missed, ""},
		"user=<a, rip=192.0.2.1":                                                                           {event.Missed, ""},
		"user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, x=<b>":                                      {event.Ambiguous, ""},
		"user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, x=<b, session=<c>":                          {event.Ambiguous, ""},
		"user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, x=b>, session=<c>":                          {event.Ambiguous, ""},
		"user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, x=<b":                                       {event.Ambiguous, ""},
		"user=<x,203.0.113.6,<b>): unknown user>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, session=<c>": {event.Noted, "192.0.2.1"},
		"user=<a>, x=<b>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":                                      {event.Noted, "192.0.2.1"},
		"user=<>, method=X[203.0.113.6], rip=192.0.2.1, lip=192.0.2.2":                                     {event.Noted, "192.0.2.1"},
		"user=<>, method=X, rip=203.0.113.6, rip=192.0.2.1, lip=192.0.2.2":                                 {event.Ambiguous, ""},
		"user=<a, rip=203.0.113.6, lip=x>, rip=192.0.2.1, lip=x":                                           {event.Ambiguous, ""},
		"user=<a>, rip=203.0.113.6, lip=x>, rip=192.0.2.1, lip=x":                                          {event.Ambiguous, ""},
		"user=<a>, rip=203.0.113.6, session=<b>, lip=x, session=<c>":                                       {event.Ambiguous, ""},
	}
	for text, want := range tests {
		var e event.Event
		outcome, _ := Parse("imap-login: Disconnected (auth failed, 1 attempts in 2 secs): "+text, &e)
		if outcome != want.outcome {
			t.Errorf("%s: got %s", text, outcome)
		}
		if outcome == event.Noted && e.Addr.String() != want.addr {
			t.Errorf("%s: got %s", text, e.Addr)
		}
	}
}

// An administrator's own elements are read, or the line counts as missed; a user
// name without brackets gives nobody else's address.
func TestOwnElements(t *testing.T) {
	tests := map[string]struct {
		outcome             event.Outcome
		addr, user, session string
	}{
		"user=u@example.org, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS, session=<s>":                      {event.Noted, "192.0.2.1", "u@example.org", "s"},
		"user=u@example.org, method=PLAIN, rip=2001:db8::1, lip=::1":                                            {event.Noted, "2001:db8::1", "u@example.org", ""},
		"rip=192.0.2.1, lip=192.0.2.2, user=<u>, method=PLAIN, session=<s>":                                     {event.Noted, "192.0.2.1", "u", "s"},
		"rip=192.0.2.1, lip=192.0.2.2, user=u":                                                                  {event.Noted, "192.0.2.1", "u", ""},
		"session=<s>, rip=192.0.2.1, user=<u>":                                                                  {event.Noted, "192.0.2.1", "u", "s"},
		"lip=192.0.2.2, rip=192.0.2.1, method=PLAIN, user=<u>":                                                  {event.Noted, "192.0.2.1", "u", ""},
		"service=imap, user=<u>, rip=192.0.2.1, rport=4711, real_rip=192.0.2.7, lip=192.0.2.2":                  {event.Noted, "192.0.2.1", "u", ""},
		"user=<u>, method=PLAIN, rip=192.0.2.1, real_rip=192.0.2.7, lip=192.0.2.2, session=<s>":                 {event.Noted, "192.0.2.1", "u", "s"},
		"user=<u>, method=PLAIN, rip=192.0.2.1, rport=4711, lip=192.0.2.2, lport=143, ssl=TLSv1.3, session=<s>": {event.Noted, "192.0.2.1", "u", "s"},
		"local_name=mail.example.org, user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":                     {event.Noted, "192.0.2.1", "u", ""},
		// nothing to go by
		"user=<u>, method=PLAIN, lip=192.0.2.2, session=<s>": {event.Missed, "", "", ""},
		"user=u, method=PLAIN, real_rip=192.0.2.7":           {event.Missed, "", "", ""},
		"user=u, rip=192.0.2.1:4711, lip=192.0.2.2":          {event.Missed, "", "", ""},
		"uid=u, remote=192.0.2.1":                            {event.Missed, "", "", ""},
		"":                                                   {event.Missed, "", "", ""},
		// a user that imitates elements
		"user=u, rip=203.0.113.6, method=PLAIN, rip=192.0.2.1":       {event.Ambiguous, "", "", ""},
		"user=u, lip=x, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":  {event.Ambiguous, "", "", ""},
		"user=u, user=v, rip=192.0.2.1":                              {event.Ambiguous, "", "", ""},
		"user=u, session=<x>, rip=192.0.2.1, session=<s>":            {event.Ambiguous, "", "", ""},
		"method=PLAIN, user=<u, rip=203.0.113.6>, lip=192.0.2.2":     {event.Ambiguous, "", "", ""},
		"method=PLAIN, user=<u>, rip=203.0.113.6, y>, lip=192.0.2.2": {event.Ambiguous, "", "", ""},
		"rip=192.0.2.1, user=<x>, rip=203.0.113.6, y=<z>":            {event.Ambiguous, "", "", ""},
		"rip=192.0.2.1, user=<x>y>, lip=192.0.2.2":                   {event.Ambiguous, "", "", ""},
		"user=x(rip=203.0.113.6, method=PLAIN, rip=192.0.2.1":        {event.Ambiguous, "", "", ""},
	}
	for text, want := range tests {
		var e event.Event
		outcome, _ := Parse("imap-login: Disconnected (auth failed, 3 attempts in 51 secs): "+text, &e)
		if outcome != want.outcome {
			t.Errorf("%s: got %s, want %s", text, outcome, want.outcome)
			continue
		}
		if outcome == event.Noted && (e.Addr.String() != want.addr || e.User != want.user || e.Session != want.session) {
			t.Errorf("%s: got %s, %q, %q, want %+v", text, e.Addr, e.User, e.Session, want)
		}
	}
}

// The user ends at the first ">, ", but for what he put there himself.
func TestClaims(t *testing.T) {
	for claims, want := range map[string]string{
		"user=<a>, method=PLAIN":                   "a PLAIN",
		"user=<>, method=PLAIN":                    " PLAIN",
		"user=<a>":                                 "a ",
		"user=<a>, session=<b>, method=PLAIN":      "a PLAIN",
		"user=<a>, b>, method=PLAIN":               "a>, b PLAIN",
		"user=<a>, method=LOGIN, c>, method=PLAIN": "a>, method=LOGIN, c PLAIN",
		"user=<a>, session=<b>, c>, method=PLAIN":  "a>, session=<b>, c PLAIN",
	} {
		var e event.Event
		outcome, _ := Parse("imap-login: Login: "+claims+", rip=192.0.2.1, lip=192.0.2.2", &e)
		if got := e.User + " " + e.Mechanism; outcome != event.Noted || got != want {
			t.Errorf("%s: %s, %q, want %q", claims, outcome, got, want)
		}
	}
}

// What the login process says before a connection's end.
func TestMidway(t *testing.T) {
	tests := map[string]struct {
		outcome event.Outcome
		kind    event.Kind
		addr    string
	}{
		"imap-login: Login failed: Plaintext authentication disabled: user=<>, rip=192.0.2.1, lip=192.0.2.2, session=<s>":                                                       {event.Noted, event.LoginRefused, "192.0.2.1"},
		"pop3-login: Login failed: Cleartext authentication disabled: user=<>, rip=2001:db8::1, lip=::1, session=<s>":                                                           {event.Noted, event.LoginRefused, "2001:db8::1"},
		"imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 0 secs): user=<a>, rip=192.0.2.1, lip=192.0.2.2":                                    {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Login aborted: Logged out (auth failed, 1 attempts in 0 secs) (auth_failed): user=<a>, rip=192.0.2.1, lip=192.0.2.2":                                       {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Authenticate PLAIN failed: Invalid base64 in response: user=<>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":                                                {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Authenticate PLAIN failed: Temporary authentication failure. [mx1:2026-06-03 04:11:09]: user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, session=<s>": {event.Noted, event.AuthFault, "192.0.2.1"},
		"imap-login: Authenticate PLAIN failed: Internal error occurred. Refer to server log for more information.: user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":       {event.Noted, event.AuthFault, "192.0.2.1"},
		"imap-login: Authenticate X failed: Temporary authentication failure failed: Unsupported authentication mechanism.: user=<>, method=X, rip=192.0.2.1, lip=192.0.2.2":    {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Authenticate Temporary authentication failure failed: Unsupported authentication mechanism.: user=<>, method=X, rip=192.0.2.1, lip=192.0.2.2":              {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Login failed: SSL required for authentication: user=<>, rip=192.0.2.1, lip=192.0.2.2, session=<s>":                                                         {event.Noted, event.LoginRefused, "192.0.2.1"},
		"pop3-login: APOP failed: APOP not enabled: user=<>, rip=192.0.2.1, lip=192.0.2.2, session=<s>":                                                                         {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Authenticate PLAIN failed: Aborted: user=<>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2":                                                                   {event.Noted, event.AuthAborted, "192.0.2.1"},
		"imap-login: Authenticate X[203.0.113.6] failed: Unsupported authentication mechanism.: user=<>, method=X[203.0.113.6], rip=192.0.2.1, lip=192.0.2.2":                   {event.Noted, event.LoginRefused, "192.0.2.1"},
		"imap-login: Authenticate X: user=<>, rip=203.0.113.6 failed: Unsupported authentication mechanism.: user=<>, method=X: user=<>, rip=203.0.113.6, rip=192.0.2.1, lip=x": {event.Ambiguous, event.NoKind, ""},
		"imap-login: Authenticate X: user=<>, rip=203.0.113.6 failed: Unsupported authentication mechanism.: user=<>, rip=192.0.2.1, lip=x":                                     {event.Ambiguous, event.NoKind, ""},
	}
	for line, want := range tests {
		var e event.Event
		outcome, _ := Parse(line, &e)
		if outcome != want.outcome || outcome == event.Noted && (e.Kind != want.kind || e.Addr.String() != want.addr || e.Attempts != 1) {
			t.Errorf("%s: got %s, %s of %s", line, outcome, e.Kind, e.Addr)
		}
	}
}

// The login process's own errors and warnings accuse no client that they name.
func TestLoginTrouble(t *testing.T) {
	tests := map[string]event.Kind{
		"Error: fd_send(imap) failed: Resource temporarily unavailable":                                       event.AuthFault,
		"Error: fd_send(imap, 17) failed: Broken pipe":                                                        event.AuthFault,
		"Error: master(imap): Auth request timed out (received 0/12 bytes)":                                   event.AuthFault,
		"Error: Timeout while finishing login (waited 30 secs)":                                               event.AuthFault,
		"Error: Internal login failure (pid=1 id=2)":                                                          event.AuthFault,
		"Error: Received invalid reply from anvil: x":                                                         event.AuthFault,
		"Warning: Auth process not responding, delayed sending initial response (greeting)":                   event.AuthFault,
		"Auth process not responding, delayed sending initial response (greeting)":                            event.AuthFault,
		"Disconnected: Internal login failure (pid=1 id=2)":                                                   event.AuthFault,
		"Login aborted: Internal login failure (pid=1 id=2)":                                                  event.AuthFault,
		"Disconnected: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)":  event.NoKind,
		"Login aborted: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)": event.NoKind,
		"Disconnected: Connection queue full (no auth attempts in 3 secs)":                                    event.NoKind,
		"Disconnected: Connection queue full (client didn't finish SASL auth, waited 3 secs)":                 event.NoKind,
		"Disconnected: Connection queue full (auth failed, 1 attempts in 3 secs)":                             event.AuthFailed,
		"Disconnected: TLS initialization failed. (no auth attempts in 0 secs)":                               event.NoKind,
		"Disconnected: Disconnected: TLS initialization failed. (no auth attempts in 0 secs)":                 event.NoKind,
		"Login aborted: TLS initialization failed. (no auth attempts in 0 secs) (no_auth_attempts)":           event.NoKind,
		"Login aborted: TLS initialization failed. (auth failed, 1 attempts in 2 secs) (auth_failed)":         event.AuthFailed,
		"Disconnected: Shutting down (no auth attempts in 9 secs)":                                            event.NoKind,
		"Disconnected: Reconnected to auth server, can't do APOP (no auth attempts in 9 secs)":                event.NoKind,
		"Disconnected: Input buffer full (no auth attempts in 9 secs)":                                        event.NoAuth,
		"Disconnected: Logging in timed out (state=banner, duration=30s)":                                     event.NoKind,
		"Disconnected: Auth process broken (no auth attempts in 9 secs)":                                      event.NoKind,

		"Pre-login ID sent: name=x":                                                                 event.NoKind,
		"Pre-login ID sent: name=x: user=<u>, rip=203.0.113.6":                                      event.NoKind,
		"Pre-login internal ID sent from untrusted client - ignoring: x-originating-ip=203.0.113.6": event.NoKind,
		"SSL is disabled (ssl=no)":                                                                  event.NoKind,
		"Error: access(tcpwrap): Client refused (rip=192.0.2.1)":                                    event.NoKind,
		"access(tcpwrap): Client refused (rip=192.0.2.1)":                                           event.NoKind,
		"Error: something new (auth failed, 1 attempts in 2 secs)":                                  event.NoKind,
		"Warning: something new":                                                                    event.NoKind,
		"Fatal: something new":                                                                      event.NoKind,
	}
	for said, want := range tests {
		wanted := event.Noted
		if want == event.NoKind {
			wanted = event.Benign
		}
		var e event.Event
		outcome, _ := Parse("imap-login: "+said+": "+elements, &e)
		if outcome != wanted || e.Kind != want || want != event.NoKind && e.Addr.String() != "192.0.2.1" {
			t.Errorf("%s: %s, %s of %s", said, outcome, e.Kind, e.Addr)
		}
		wanted = event.Benign
		if want != event.NoKind && want != event.AuthFault {
			wanted = event.Missed
		}
		e = event.Event{}
		if outcome, _ := Parse("imap-login: "+said, &e); outcome != wanted {
			t.Errorf("%s without a client: %s, %s, want %s", said, outcome, e.Kind, wanted)
		}
	}
}

func TestOtherProcesses(t *testing.T) {
	tests := map[string]event.Outcome{
		"auth: Debug: x":                      event.Benign,
		"auth-worker(9): sql(a,192.0.2.1): y": event.Missed,
		"imap(u)<1><s>: Logged out":           event.Benign,
		"master: Dovecot v2.3.19 starting":    event.Benign,
		"no colon":                            event.Missed,
		"imap-login: Login: user=<anonymous>, method=ANONYMOUS, rip=192.0.2.1, lip=198.51.100.1, session=<s>":                                   event.Benign,
		"imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<>, method=ANONYMOUS, rip=192.0.2.1, lip=198.51.100.1, session=<s>": event.Noted,
		"imap-urlauth-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<u>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1":         event.Noted,
		"Info: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<u>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1":           event.Noted,
		"doveadm(192.0.2.1): Error: doveadm client authenticated with wrong password":                                                           event.Noted,
		"doveadm(192.0.2.1)<7><s>: doveadm client authenticated with wrong password":                                                            event.Noted,
		"doveadm: Error: doveadm client authenticated with wrong password":                                                                      event.Noted,
		"doveadm(u,192.0.2.1): Error: User doesn't exist":                                                                                       event.Benign,
		"doveadm(192.0.2.1): doveadm client authenticated with wrong password, he said":                                                         event.Benign,
		"imap-login: proxy(u): Login failed to 192.0.2.9:143: x":                                                                                event.Benign,
		"imap-login: proxy(u): started proxying to 192.0.2.9:143: user=<u>, rip=192.0.2.1":                                                      event.Noted,
		"imap-login: proxy(u): started proxying to u): Login failed to 192.0.2.9:143: x: user=<u>, rip=192.0.2.1":                               event.Benign,
		"imap-login: proxy(x): Started proxying to y,192.0.2.9:143): Login failed: [AUTH] Authentication failed.: user=<u>, rip=192.0.2.1":      event.Benign,
	}
	for message, want := range tests {
		var e event.Event
		if outcome, _ := Parse(message, &e); outcome != want {
			t.Errorf("%s: got %s", message, outcome)
		}
	}
}

// A client that has the server's own address is known by it, whatever the user name says.
func TestOwnAddress(t *testing.T) {
	const failed = "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): "
	for message, want := range map[string]event.Testimony{
		failed + "user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.1, secured, session=<s>":                                   event.OwnAddress,
		failed + "user=<u>, method=PLAIN, rip=2001:db8::1, lip=2001:db8::1":                                                     event.OwnAddress,
		"imap-login: Login: user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.1, mpid=7, TLS, session=<s>":                     event.OwnAddress,
		failed + "user=<u>, method=PLAIN, rip=192.0.2.1, local_name=x, lip=192.0.2.1, local_name=x, lip=192.0.2.9, session=<s>": event.NoTestimony,
		failed + "user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.1, local_name=x, lip=192.0.2.9, session=<s>":               event.NoTestimony,
		failed + "user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.10, session=<s>":                                           event.NoTestimony,
		failed + "user=<u>, method=PLAIN, rip=192.0.2.10, lip=192.0.2.1, session=<s>":                                           event.NoTestimony,
		failed + "user=<u, lip=192.0.2.1>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>":                          event.NoTestimony,
		failed + "user=<rip=192.0.2.1, lip=192.0.2.1>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>":              event.NoTestimony,
		failed + "user=<u, lip=192.0.2.1>, method=PLAIN, rip=192.0.2.1, session=<s>":                                            event.NoTestimony,
		failed + "rip=192.0.2.1, lip=192.0.2.1, user=u":                                                                         event.NoTestimony,
		"imap-login: Disconnected (disconnected before auth was ready, waited 0 secs): user=<>, rip=192.0.2.1, lip=192.0.2.1":   event.NoTestimony,
	} {
		var e event.Event
		if _, got := Parse(message, &e); got != want {
			t.Errorf("%s: got testimony %d, want %d", message, got, want)
		}
	}
}

// FuzzUser: whatever the user name holds, the address is the client's or none.
func FuzzUser(f *testing.F) {
	for _, user := range []string{
		"a", "a>, method=PLAIN, rip=203.0.113.6, lip=198.51.100.1", "a, rip=203.0.113.6", ">", "<", "session=<x>",
		"a>, rip=203.0.113.6, session=<b", ": rip=203.0.113.6", ": user=<b>, rip=203.0.113.6", "X: user=<b>, rip=203.0.113.6, session=<c>",
	} {
		f.Add(user)
	}
	f.Fuzz(func(t *testing.T, user string) {
		var e event.Event
		outcome, _ := Parse("imap-login: Authenticate "+user+" failed: Unsupported authentication mechanism.: user=<>, method="+user+", rip=192.0.2.1, lip=198.51.100.1, session=<s>", &e)
		if outcome == event.Noted && e.Addr.String() != "192.0.2.1" {
			t.Errorf("mechanism %q gives %s", user, e.Addr)
		}
		for _, said := range []string{
			"Disconnected (auth failed, 1 attempts in 2 secs)", "Login", "Error: fd_send(imap) failed: Broken pipe", "Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed)",
		} {
			var e event.Event
			outcome, _ := Parse("imap-login: "+said+": user=<"+user+">, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", &e)
			if outcome == event.Noted && e.Addr.String() != "192.0.2.1" {
				t.Errorf("user %q gives %s", user, e.Addr)
			}
			for _, own := range []string{
				"user=" + user + ", method=PLAIN, rip=192.0.2.1, lip=198.51.100.1", "rip=192.0.2.1, lip=198.51.100.1, user=<" + user + ">",
				"method=" + user + ", rip=192.0.2.1, user=" + user, "session=<s>, user=<" + user + ">, rip=192.0.2.1",
			} {
				var e event.Event
				if outcome, _ := Parse("imap-login: "+said+": "+own, &e); outcome == event.Noted && e.Addr.String() != "192.0.2.1" {
					t.Errorf("user %q gives %s of %s", user, e.Addr, own)
				}
			}
		}
	})
}
