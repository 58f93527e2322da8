//go:build e2e

package e2e

// What Dovecot 2.4 calls the settings of dovecotTemplate. The versions are the
// oldest of that syntax, so that any 2.4 reads it.
const dovecot24Head = `
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
`

const dovecot24Template = `
protocols = imap pop3
auth_mechanisms = plain login
listen = *, ::
ssl = yes
ssl_server_cert_file = /etc/dovecot/cert.pem
ssl_server_key_file = /etc/dovecot/key.pem
auth_allow_cleartext = yes
auth_verbose = yes
first_valid_uid = 1
mail_driver = maildir
mail_path = @MAIL@/%{user|username}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
  auth_username_format = %{user}
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = @MAIL@/%{user|username}
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
`
