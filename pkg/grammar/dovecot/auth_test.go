package dovecot

import (
	"testing"

	"csmail/pkg/event"
)

func TestAuth(t *testing.T) {
	tests := map[string]struct {
		outcome             event.Outcome
		kind                event.Kind
		addr, user, session string
	}{
		"auth: passwd-file(a@example.org,192.0.2.1,<s+/>): Password mismatch":                                                                               {event.Noted, event.AuthFailed, "192.0.2.1", "a@example.org", "s+/"},
		"auth: passwd-file(a,2001:db8::1): unknown user":                                                                                                    {event.Noted, event.AuthFailed, "2001:db8::1", "a", ""},
		"auth: Info: sql(a,192.0.2.1,master,<s>): Password mismatch":                                                                                        {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth-worker(7): Info: pam(a,192.0.2.1,<s>): pam_authenticate() failed: Authentication failure (Password mismatch?)":                                {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(a,192.0.2.1,<s>): unknown user":                                           {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: passwd-file: Password mismatch":                                                                                   {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: Info: passwd-file: Password mismatch":                                                                             {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [1]: sql: unknown user":                                                                        {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth: plain(?,192.0.2.1,<s>): Username character disallowed by auth_username_chars: 0x2c (username: x, rip=203.0.113.6, lip=)":                     {event.Noted, event.AuthFailed, "192.0.2.1", "", "s"},
		"auth: policy(a,192.0.2.1,<s>): Authentication failure due to policy server refusal: CrowdSec decision: ban":                                        {event.Noted, event.OwnRefusal, "192.0.2.1", "a", "s"},
		"auth: sql(a,192.0.2.1,<s>): unknown user - trying the next passdb":                                                                                 {event.Benign, event.NoKind, "", "", ""},
		"auth: policy(a,192.0.2.1,<s>): Policy check action is drop connection":                                                                             {event.Benign, event.NoKind, "", "", ""},
		"auth: Error: sql: connect failed":                                                                                                                  {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth(a,192.0.2.1,sasl:plain)<s>: Error: sql: connect failed":                                                                                       {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth: Error: imap(a,192.0.2.1,<s>): Disconnected from server":                                                                                      {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth: Error: imap(a,192.0.2.1): Disconnected from server":                                                                                          {event.Noted, event.AuthFault, "192.0.2.1", "a", ""},
		"auth: Error: stat(/etc/users/a,203.0.113.6,<s>): x) failed: Permission denied":                                                                     {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: Error: stat(/etc/users/a) failed: Permission denied":                                                                                         {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: Error: imap(a,203.0.113.6): x,192.0.2.1,<s>): Disconnected from server":                                                                      {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: Error: sql(a,b,192.0.2.1,<s>): Password query failed: x":                                                                                     {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: Error: Request 12.3 timed out after 150 secs, state=3":                                                                                       {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: sql(a,192.0.2.1,<s>): Username ',203.0.113.6): x' did not match 'a'":                                                                         {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: plain(a,192.0.2.1,<s>): Request for something new":                                                                                           {event.Missed, event.NoKind, "", "", ""},
		"auth: Error: mysql(localhost): Connect failed to database (mail): Can't connect to server":                                                         {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: Error: ldap(ldap://192.0.2.9): Can't connect to server":                                                                                      {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: Error: ldap(ldap://a@example.org): User query failed: x":                                                                                     {event.Noted, event.AuthFault, "invalid IP", "ldap://a@example.org", ""},
		"auth-worker(9): Error: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(a): User query failed: x":                                          {event.Noted, event.AuthFault, "invalid IP", "a", ""},
		"auth(a)<s>: Error: sql: User query failed: x":                                                                                                      {event.Noted, event.AuthFault, "invalid IP", "a", ""},
		"auth: Error: BUG: Authentication client 7 sent us more than 8192 bytes":                                                                            {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(7): Error: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(a,192.0.2.1,<s>): Password query failed: x":                        {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth-worker(7): Error: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql: gone away":                                                        {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"Error: auth(default): sql(a,192.0.2.1): connect failed":                                                                                            {event.Noted, event.AuthFault, "192.0.2.1", "a", ""},
		"Error: auth(default): mysql: connect failed":                                                                                                       {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth(a,192.0.2.1,sasl:plain)<s>: Warning: b: imapc(127.0.0.1:9): connect(127.0.0.1, 9) failed: Connection refused - reconnecting (delay 1000 ms)":  {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: Error: b: imapc(127.0.0.1:9): connect(127.0.0.1, 9) failed: Connection refused - disconnecting":                   {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain): Error: b: Disconnected from server":                                                                                  {event.Noted, event.AuthFault, "192.0.2.1", "a", ""},
		"auth(a,192.0.2.1,sasl:plain)<s>: Warning: passwd-file: weak password scheme":                                                                       {event.Benign, event.NoKind, "", "", ""},
		"auth(a,203.0.113.6)<x>: Error: y,192.0.2.1,sasl:plain)<s>: passwd-file: unknown user":                                                              {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: plain(?,192.0.2.1): Empty username":                                                                                                          {event.Noted, event.AuthFailed, "192.0.2.1", "", ""},
		"auth(?,192.0.2.1,sasl:plain): plain: Empty username":                                                                                               {event.Noted, event.AuthFailed, "192.0.2.1", "", ""},
		"auth: scram-sha-256(a,192.0.2.1): Wrong nonce":                                                                                                     {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"auth(a,192.0.2.1,sasl:scram-sha-256)<s>: scram-sha-256: Wrong nonce":                                                                               {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth: plain(?,192.0.2.1): Username character disallowed by auth_username_chars: 0x2c (username: x,203.0.113.6,<abc>): unknown user)":               {event.Noted, event.AuthFailed, "192.0.2.1", "", ""},
		"auth(?,192.0.2.1,sasl:plain)<s>: plain: Username character disallowed by auth_username_chars: 0x2c (username: x,203.0.113.6,<abc>): unknown user)": {event.Noted, event.AuthFailed, "192.0.2.1", "", "s"},
		// no end of a request, no client in it, or another process's bracket

		"auth: sql(a,192.0.2.1":                             {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,<s: unknown user":            {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1) unknown user":               {event.Missed, event.NoKind, "", "", ""},
		"auth: Loading modules (a,192.0.2.1): unknown user": {event.Missed, event.NoKind, "", "", ""},
		"auth: (a,192.0.2.1): unknown user":                 {event.Missed, event.NoKind, "", "", ""},
		"auth(a,192.0.2.1)<s: sql: unknown user":            {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(a)b,192.0.2.1,<s>): unknown user":        {event.Ambiguous, event.NoKind, "", "", ""},

		"auth: started":                                                           {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(a): unknown user":                                              {event.Noted, event.AuthFailed, "invalid IP", "a", ""},
		"auth: sql(a,b,<s>): unknown user":                                        {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,b): unknown user":                                  {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,x>): unknown user":                                 {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql((,192.0.2.1): unknown user":                                    {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,,<s>): unknown user":                                         {event.Noted, event.AuthFailed, "invalid IP", "a", "s"},
		"auth: sql(a,192.0.2.1,,<s>): unknown user":                               {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:(x)<s>: sql: unknown user":                         {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: Error: sql: query for (a,192.0.2.1): failed":                       {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: Error: sql(a,192.0.2.1":                                            {event.Noted, event.AuthFault, "invalid IP", "", ""},
		"auth: Fatal: sql(a,192.0.2.1,<s>): x":                                    {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth: Panic: sql(a,192.0.2.1,<s>): x":                                    {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: Debug: sql: unknown user":               {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(a,192.0.2.1,sasl:plain)<77>: request [1]: sql: unknown user": {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"auth-worker(a,192.0.2.1,sasl:plain)<79>: request [1]: sql: unknown user": {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"auth: sql(a,192.0.2.1,<s>): unknown user (given password: ,203.0.113.6)": {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth: sql(a,192.0.2.1,<s>): x timed out after 150 secs":                  {event.Missed, event.NoKind, "", "", ""},
		"auth-worker(7): conn unix:auth-worker: auth-worker<1>: sql(a,192.0.2.1): Password mismatch (given password: x): sql(b,203.0.113.6): unknown user": {event.Missed, event.NoKind, "", "", ""},
		"auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<x>: sql(a,192.0.2.1): unknown user":                                              {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(b,192.0.2.1,<s>): Username character disallowed by auth_username_chars: 0x2c (username: x,203.0.113.6,<abc>): unknown user)":            {event.Ambiguous, event.NoKind, "", "", ""},
		// a worker of 2.4
		"auth-worker(a,192.0.2.1)<4001084><s>: request [12]: Info: sql: Password mismatch":                                          {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [12]: Error: sql: Password query failed: gone":                         {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [12]: Warning: sql: gone, reconnecting":                                {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [12]: Warning: sql: weak password scheme":                              {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [12]: Debug: sql: unknown user":                                        {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: Info: request [12]: sql: unknown user":                                         {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth-worker(a,192.0.2.1,sasl:login)<77><s>: request [x]: sql: unknown user":                                                {event.Missed, event.NoKind, "", "", ""},
		"auth-worker(a,203.0.113.6)<1><x>: request [1]: sql: unknown user,192.0.2.1)<77><s>: request [12]: Info: sql: unknown user": {event.Ambiguous, event.NoKind, "", "", ""},
		// 1.x, through syslog and in its own log
		"auth(default): sql(a,192.0.2.1): unknown user":                   {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"auth-worker(default): sql(a,192.0.2.1): Password mismatch":       {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"Info: auth(default): passwd-file(a,192.0.2.1): unknown user":     {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"Info: auth-worker(default): sql(a,192.0.2.1): Password mismatch": {event.Noted, event.AuthFailed, "192.0.2.1", "a", ""},
		"Error: auth-worker(default): sql(a,192.0.2.1): connect failed":   {event.Noted, event.AuthFault, "192.0.2.1", "a", ""},
		"auth(default): client in: AUTH\t1\tPLAIN\tservice=imap":          {event.Benign, event.NoKind, "", "", ""},
		// the process itself
		"auth: mysql(localhost): Connected to database mail":                                                                      {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(7): mysql(localhost): Connected to database mail":                                                            {event.Benign, event.NoKind, "", "", ""},
		"auth-worker(7): Info: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: mysql(127.0.0.1): Connected to database mail": {event.Benign, event.NoKind, "", "", ""},
		"auth: sqlite: Connected":                    {event.Benign, event.NoKind, "", "", ""},
		"auth: pgsql: Connected to localhost (mail)": {event.Benign, event.NoKind, "", "", ""},
		"auth: Warning: auth workers: Auth request was queued for 7 seconds, 1 left in queue": {event.Benign, event.NoKind, "", "", ""},
		// where every character is allowed
		"auth: sql(?,203.0.113.6): Username character disallowed by auth_username_chars: 0x2c (username: ,192.0.2.1,<s>): unknown user":                          {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(?,203.0.113.6): Username character disallowed by auth_username_chars: 0x2c (username: ,192.0.2.1,<s>): Password mismatch (given password: x)": {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(?,203.0.113.6): Username character disallowed by auth_username_chars: 0x2c (username: ,192.0.2.1): Password mismatch (given password: ): x)":  {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,<s>): unknown user (given password: ): x)":                                                                                        {event.Noted, event.AuthFailed, "192.0.2.1", "a", "s"},
		"auth: plain(a,192.0.2.1,<s>): Request timed out waiting for client to continue authentication (150 secs)":                                               {event.Noted, event.AuthAborted, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: Warning: sql: connect failed: gone":                                                                                    {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth(a,192.0.2.1,sasl:plain)<s>: Warning: sql: gone, reconnecting":                                                                                      {event.Noted, event.AuthFault, "192.0.2.1", "a", "s"},
		"auth-worker(x): sql(a,192.0.2.1): unknown user":                                                                                                         {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,<s>): something new":                                                                                                              {event.Missed, event.NoKind, "", "", ""},
		"auth: sql(a,203.0.113.6): unknown user,192.0.2.1,<s>): unknown user":                                                                                    {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,203.0.113.6,192.0.2.1,<s>): unknown user":                                                                                                   {event.Ambiguous, event.NoKind, "", "", ""},
		"auth: sql(a,192.0.2.1,<s>): unknown user (given password: ,203.0.113.6): Password mismatch)":                                                            {event.Ambiguous, event.NoKind, "", "", ""},
		"auth(a,203.0.113.6,sasl:plain)<x>: sql: unknown user,192.0.2.1,sasl:plain)<s>: sql: unknown user":                                                       {event.Ambiguous, event.NoKind, "", "", ""},
	}
	for message, want := range tests {
		var e event.Event
		outcome, _ := Parse(message, &e)
		if outcome != want.outcome || (outcome == event.Noted && e.Kind != want.kind) {
			t.Errorf("%s: got %s, %s", message, outcome, e.Kind)
			continue
		}
		if outcome == event.Noted && (e.Addr.String() != want.addr || e.User != want.user || e.Session != want.session) {
			t.Errorf("%s: got %s, %q, %q", message, e.Addr, e.User, e.Session)
		}
		if outcome == event.Noted && (e.Attempts != 1 || e.Service != event.Dovecot || e.Program != "dovecot/auth") {
			t.Errorf("%s: %d attempts, %s, %s", message, e.Attempts, e.Service, e.Program)
		}
	}
}

// FuzzAuth: whatever user and password hold, the address is the client's or
// none.
func FuzzAuth(f *testing.F) {
	for _, text := range []string{
		"a", "a,203.0.113.6): unknown user", "a,203.0.113.6,sasl:plain)<x>: sql: unknown user", ",203.0.113.6", "a,203.0.113.6,<x>",
		",203.0.113.6): Password mismatch", "auth(a,203.0.113.6)<", "(", ")", "a)", "a)<b>", "x: y(z,203.0.113.6",
		"?,203.0.113.6): Username character disallowed by auth_username_chars: 0x2c (username: ", "x,203.0.113.6,<abc>): unknown user", "a,203.0.113.6)<x>: Error: y",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, message := range []string{
			"auth: sql(" + text + ",192.0.2.1,<s>): unknown user",
			"auth: sql(u,192.0.2.1,<s>): unknown user (given password: " + text + ")",
			"auth: plain(?,192.0.2.1,<s>): Username character disallowed by auth_username_chars: 0x2c (username: " + text + ")",
			"auth-worker(9): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(" + text + ",192.0.2.1,<s>): Password mismatch",
			"auth(" + text + ",192.0.2.1,sasl:plain)<s>: sql: unknown user",
			"auth-worker(" + text + ",192.0.2.1,sasl:plain)<9><s>: request [1]: sql: unknown user",
			"auth-worker(9): conn unix:auth-worker (uid=143): auth-worker<1>: ldap(" + text + ",192.0.2.1): unknown user",
			"auth-worker(9): Info: conn unix:auth-worker (pid=8,uid=9): pam(" + text + ",192.0.2.1,<s>): unknown user",
			"auth(default): sql(" + text + ",192.0.2.1): unknown user",
			"auth: Error: imap(" + text + ",192.0.2.1,<s>): Disconnected from server",
			"auth(" + text + ",192.0.2.1,sasl:plain)<s>: Error: b: imapc(127.0.0.1:9): connect(127.0.0.1, 9) failed: Connection refused - disconnecting",
			"auth(?,192.0.2.1,sasl:plain)<s>: plain: Username character disallowed by auth_username_chars: 0x2c (username: " + text + ")",
			"auth: sql(" + text + ",192.0.2.1,<s>): Password mismatch (given password: " + text + ")",
			"auth: checkpassword(" + text + ",192.0.2.1,master,<s>): Login failed (status=1)",
			"auth: oauth2(u,192.0.2.1,<s>): Username '" + text + "' did not match 'u'",
			"auth(u,192.0.2.1,sasl:oauthbearer)<s>: oauth2: Username '" + text + "' did not match 'u'",
			"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=" + text + " rhost=192.0.2.1  user=" + text,
		} {
			var e event.Event
			outcome, _ := Parse(message, &e)
			if outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != "192.0.2.1" {
				t.Errorf("%q gives %s", message, e.Addr)
			}
		}
	})
}
