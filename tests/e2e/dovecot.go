//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// passwords are the accounts of the server.
var passwords = map[string]string{"alice": "violet-harbour", "bob": "copper-kettle", "carol": "quiet-meadow"}

// writeDovecot writes Dovecot's configuration, its accounts and empty mailboxes.
// auth_verbose is on, so that Dovecot logs a failed login more than once.
func writeDovecot(cfg serverConfig) error {
	mail := filepath.Join(cfg.Dir, "mail")
	if err := os.Mkdir(mail, 0o700); err != nil {
		return err
	}
	if err := chownTo(cfg, mail, "nobody"); err != nil {
		return err
	}
	certificate, key, err := newCertificate("mx1." + domain)
	if err != nil {
		return err
	}
	return writeFiles(filepath.Join(cfg.Dir, "etc", "dovecot"), map[string]string{
		"dovecot.conf": dovecotConf(cfg, mail),
		"users":        accounts(),
		"cert.pem":     certificate,
		"key.pem":      key,
	})
}

func accounts() string {
	var rows strings.Builder
	for name, password := range passwords {
		fmt.Fprintf(&rows, "%s@%s:{PLAIN}%s\n", name, domain, password)
	}
	return rows.String()
}

func dovecotConf(cfg serverConfig, mail string) string {
	logs := ""
	if cfg.OwnLogs {
		logs = "log_path = " + dovecotOwnLog(cfg.Dir) + "\n"
	}
	template := dovecotTemplate
	switch {
	case cfg.Dovecot24 && cfg.Wide:
		template = dovecot24Head + widePassdb24 + dovecot24Template + wideDovecot24
	case cfg.Dovecot24:
		template = dovecot24Head + dovecot24Template
	case cfg.Wide:
		template = widePassdb + dovecotTemplate + wideDovecot
	}
	if cfg.Enforce && cfg.Dovecot24 {
		template += enforceDovecot24
	} else if cfg.Enforce {
		template += enforceDovecot23
	}
	if cfg.Apart != "" {
		template = apartDovecot(template, cfg.Dovecot24)
	}
	if !cfg.Delays {
		template += noDelays
	}
	return strings.ReplaceAll(template, "@MAIL@", mail) + logs
}

func dovecotOwnLog(dir string) string { return filepath.Join(dir, "dovecot-own.log") }

const dovecotTemplate = `
protocols = imap pop3
listen = *, ::
ssl = yes
ssl_cert = </etc/dovecot/cert.pem
ssl_key = </etc/dovecot/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
first_valid_uid = 1
mail_location = maildir:@MAIL@/%n
passdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=@MAIL@/%n
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
`

// chownTo gives a file to a user of the server, whose number may be another
// than on this machine.
func chownTo(cfg serverConfig, path, name string) error {
	rows, err := os.ReadFile(cfg.Root + "/etc/passwd")
	if err != nil {
		return err
	}
	for row := range strings.Lines(string(rows)) {
		f := strings.Split(row, ":")
		if len(f) < 4 || f[0] != name {
			continue
		}
		uid, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		gid, err := strconv.Atoi(f[3])
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}
	return fmt.Errorf("there is no user %s (does install.sh say that all packages are there?)", name)
}
