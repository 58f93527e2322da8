package scenario

import (
	"net/netip"
	"strconv"
	"strings"

	"csmail/pkg/event"
)

// input is one event as expressions read it.
type input struct {
	ev    *event.Event
	shape shape
	view  *Evt // built when an expression needs it
}

// field is one key of evt.Meta or evt.Parsed. The first ones, up to
// fieldPregreet, take few values: a filter over them is decided once for each
// combination of kind, service and shape.
type field uint8

const (
	noField field = iota
	fieldKind
	fieldClass
	fieldService
	fieldLogType
	fieldLogTypeEnh
	fieldAction
	fieldLoginResult
	fieldPregreet
	fieldProgram
	fieldUsername
	fieldAccount
	fieldSourceIP
	fieldSourceBlock
	fieldSourceRange
	fieldClientName
	fieldHelo
	fieldSender
	fieldRecipient
	fieldMechanism
	fieldCode
	fieldReason
	fieldSession
	fieldMachine
	fieldTargetUser
	fieldTag
	fieldMessage
	fieldPID
	fieldUser
	fieldLoginMessage
	fieldHubUser
)

// isEnumerated is true for a field that (kind, service, shape) decides.
func (f field) isEnumerated() bool { return f >= fieldKind && f <= fieldPregreet }

// metaFields are the keys of evt.Meta: csmail's own, and those that the parsers
// of CrowdSec's hub set (postfix-logs, postscreen-logs, dovecot-logs, sshd-logs,
// syslog-logs).
var metaFields = map[string]field{
	"kind": fieldKind, "class": fieldClass, "service": fieldService, "program": fieldProgram,
	"username": fieldUsername, "account": fieldAccount,
	"source_ip": fieldSourceIP, "source_block": fieldSourceBlock, "source_range": fieldSourceRange,
	"client_name": fieldClientName, "source_hostname": fieldClientName,
	"helo": fieldHelo, "sender": fieldSender, "recipient": fieldRecipient,
	"mechanism": fieldMechanism, "code": fieldCode, "reason": fieldReason, "session": fieldSession,
	"machine": fieldMachine, "log_type": fieldLogType, "log_type_enh": fieldLogTypeEnh, "action": fieldAction,
	"dovecot_login_result": fieldLoginResult, "pregreet": fieldPregreet, "target_user": fieldTargetUser,
}

// parsedFields are the keys of evt.Parsed.
var parsedFields = map[string]field{
	"message": fieldMessage, "program": fieldTag, "pid": fieldPID, "logsource": fieldMachine,
	"action": fieldAction, "reason": fieldReason, "pregreet": fieldPregreet, "smtp_return_codes": fieldCode,
	"remote_addr": fieldSourceIP, "remote_host": fieldClientName, "helo": fieldHelo,
	"dovecot_user": fieldHubUser, "dovecot_login_message": fieldLoginMessage, "dovecot_login_result": fieldLoginResult,
	"dovecot_remote_ip": fieldSourceIP, "sshd_invalid_user": fieldTargetUser, "sshd_client_ip": fieldSourceIP,
	"user": fieldUser,
}

// read returns the value of the field, "" if the event has none.
func (f field) read(in *input) string {
	e := in.ev
	switch f {
	case fieldKind:
		return e.Kind.String()
	case fieldClass:
		return e.Kind.Class().String()
	case fieldService:
		return serviceName(e.Service)
	case fieldLogType, fieldLogTypeEnh, fieldAction, fieldLoginResult, fieldPregreet:
		return in.shape.read(f)
	case fieldProgram:
		return e.Program
	case fieldTag:
		return tagOf(e)
	case fieldSourceIP:
		return addrText(e.Addr)
	case fieldSourceBlock:
		return blockText(e.Addr)
	case fieldSourceRange:
		if !e.Addr.IsValid() {
			return ""
		}
		return rangeOf(e.Addr).String()
	case fieldPID:
		if e.PID == 0 {
			return ""
		}
		return strconv.Itoa(e.PID)
	}
	return f.readText(in)
}

// readText returns the fields that the client or the server wrote.
func (f field) readText(in *input) string {
	e := in.ev
	switch f {
	case fieldUsername:
		return strings.ToLower(e.User)
	case fieldAccount:
		return Account(e.User)
	case fieldClientName:
		return e.ClientName
	case fieldHelo:
		return e.Helo
	case fieldSender:
		return e.Sender
	case fieldRecipient:
		return e.Recipient
	case fieldMechanism:
		return e.Mechanism
	case fieldCode:
		return e.Code
	case fieldReason:
		return e.Reason
	case fieldSession:
		return e.Session
	case fieldMachine:
		return e.Host
	case fieldMessage:
		return e.Message
	case fieldUser:
		return e.User
	case fieldTargetUser:
		if in.shape == shapeSSHFailed {
			return e.User
		}
	case fieldHubUser:
		if in.shape.isDovecot() {
			return e.User
		}
	case fieldLoginMessage:
		if in.shape.isDovecot() {
			return loginMessage(e.Message)
		}
	}
	return ""
}

// appendTo appends what read returns.
func (f field) appendTo(b []byte, in *input) []byte {
	addr := in.ev.Addr
	switch {
	case f == fieldSourceIP && addr.IsValid(), f == fieldSourceBlock && addr.Is4():
		return addr.AppendTo(b)
	case (f == fieldSourceBlock || f == fieldSourceRange) && addr.IsValid():
		return rangeOf(addr).AppendTo(b)
	}
	return append(b, f.read(in)...)
}

// Account returns the login name without its domain, in lower case: the key
// under which guesses at one account are counted however they are spelled.
func Account(user string) string {
	if at := strings.LastIndexByte(user, '@'); at > 0 {
		user = user[:at]
	}
	return strings.ToLower(user)
}

// serviceName returns the name of the daemon as the hub's parsers give it:
// sshd-logs says ssh.
func serviceName(s event.Service) string {
	if s == event.SSHD {
		return "ssh"
	}
	return s.String()
}

// tagOf returns the syslog tag that the hub's parsers look at. An event of
// Dovecot names its process; the tag of all of them is "dovecot".
func tagOf(e *event.Event) string {
	if e.Service == event.Dovecot {
		return "dovecot"
	}
	return e.Program
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// blockText is the address itself for IPv4, its /64 for IPv6: what one customer
// holds.
func blockText(addr netip.Addr) string {
	if !addr.Is6() {
		return addrText(addr)
	}
	return rangeOf(addr).String()
}

// rangeOf returns the /24 or /64 of a valid address.
func rangeOf(addr netip.Addr) netip.Prefix {
	bits := 24
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
