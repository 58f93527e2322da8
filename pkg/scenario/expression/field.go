package expression

import (
	"net/netip"
	"strconv"

	"csmail/pkg/event"
)

// Input is one event as expressions read it. Event is lent, and must not change
// while the Input is read.
type Input struct {
	Event *event.Event
	Shape Shape // of Event; zero unless an expression reads fields of the hub's parsers
	view  *Evt  // built when an expression needs it
}

// Field is one key of evt.Meta or evt.Parsed. The first ones, up to
// fieldPregreet, take few values: a filter over them is decided once for each
// combination of kind, service and shape. Exported are those by which a bucket may
// know its key without running an expression.
type Field uint8

// The fields.
const (
	NoField Field = iota
	fieldKind
	fieldClass
	fieldService
	fieldLogType
	fieldLogTypeEnh
	fieldAction
	fieldLoginResult
	fieldPregreet
	fieldProgram
	FieldUsername
	FieldAccount
	// FieldSourceIP and the networks of the address follow one another, the narrowest first.
	FieldSourceIP
	FieldSourceBlock
	FieldSourceRange
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

// isEnumerated reports whether (kind, service, shape) decides the field.
func (f Field) isEnumerated() bool { return f >= fieldKind && f <= fieldPregreet }

// metaFields are the keys of evt.Meta: csmail's own, and those that the parsers
// of CrowdSec's hub set (postfix-logs, postscreen-logs, dovecot-logs, sshd-logs,
// syslog-logs).
var metaFields = map[string]Field{
	"kind": fieldKind, "class": fieldClass, "service": fieldService, "program": fieldProgram,
	"username": FieldUsername, "account": FieldAccount,
	"source_ip": FieldSourceIP, "source_block": FieldSourceBlock, "source_range": FieldSourceRange,
	"client_name": fieldClientName, "source_hostname": fieldClientName,
	"helo": fieldHelo, "sender": fieldSender, "recipient": fieldRecipient,
	"mechanism": fieldMechanism, "code": fieldCode, "reason": fieldReason, "session": fieldSession,
	"machine": fieldMachine, "log_type": fieldLogType, "log_type_enh": fieldLogTypeEnh, "action": fieldAction,
	"dovecot_login_result": fieldLoginResult, "pregreet": fieldPregreet, "target_user": fieldTargetUser,
}

// parsedFields are the keys of evt.Parsed.
var parsedFields = map[string]Field{
	"message": fieldMessage, "program": fieldTag, "pid": fieldPID, "logsource": fieldMachine,
	"action": fieldAction, "reason": fieldReason, "pregreet": fieldPregreet, "smtp_return_codes": fieldCode,
	"remote_addr": FieldSourceIP, "remote_host": fieldClientName, "helo": fieldHelo,
	"dovecot_user": fieldHubUser, "dovecot_login_message": fieldLoginMessage, "dovecot_login_result": fieldLoginResult,
	"dovecot_remote_ip": FieldSourceIP, "sshd_invalid_user": fieldTargetUser, "sshd_client_ip": FieldSourceIP,
	"user": fieldUser,
}

// read returns the value of the field, "" if the event has none.
func (f Field) read(in *Input) string {
	e := in.Event
	switch f {
	case fieldKind:
		return e.Kind.String()
	case fieldClass:
		return e.Kind.Class().String()
	case fieldService:
		return serviceName(e.Service)
	case fieldLogType, fieldLogTypeEnh, fieldAction, fieldLoginResult, fieldPregreet:
		return in.Shape.read(f)
	case fieldProgram:
		return e.Program
	case fieldTag:
		return tagOf(e)
	case FieldSourceIP:
		return AddrText(e.Addr)
	case FieldSourceBlock:
		return BlockText(e.Addr)
	case FieldSourceRange:
		if !e.Addr.IsValid() {
			return ""
		}
		return event.RangeOf(e.Addr).String()
	case fieldPID:
		if e.PID == 0 {
			return ""
		}
		return strconv.Itoa(e.PID)
	}
	return f.readText(in)
}

// readText returns the fields that the client or the server wrote.
func (f Field) readText(in *Input) string {
	e := in.Event
	switch f {
	case FieldUsername:
		return event.FoldLogin(e.User)
	case FieldAccount:
		return event.AccountOf(e.User).Name
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
		if in.Shape == shapeSSHFailed {
			return e.User
		}
	case fieldHubUser:
		if in.Shape.isDovecot() {
			return e.User
		}
	case fieldLoginMessage:
		if in.Shape.isDovecot() {
			return loginMessage(e.Message)
		}
	}
	return ""
}

// appendTo appends the value that read returns.
func (f Field) appendTo(b []byte, in *Input) []byte {
	addr := in.Event.Addr
	switch {
	case f == FieldSourceIP && addr.IsValid(), f == FieldSourceBlock && addr.Is4():
		return addr.AppendTo(b)
	case (f == FieldSourceBlock || f == FieldSourceRange) && addr.IsValid():
		return event.RangeOf(addr).AppendTo(b)
	}
	return append(b, f.read(in)...)
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

// AddrText is evt.Meta.source_ip of an address, "" if there is none.
func AddrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// BlockText is evt.Meta.source_block of an address: itself for IPv4, its /64 for IPv6
// (the network of one customer); "" if there is no address.
func BlockText(addr netip.Addr) string {
	if !addr.Is6() {
		return AddrText(addr)
	}
	return event.RangeOf(addr).String()
}
