package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// postscreenFlow reads postscreen's connects and refusals
// (src/postscreen/postscreen.c, postscreen_smtpd.c).
func postscreenFlow(message string, f *event.Flow) bool {
	if strings.HasPrefix(message, "CONNECT from ") {
		return connectFlow(message, "CONNECT from ", event.FlowScreened, f)
	}
	if rest, ok := strings.CutPrefix(message, "reject: connect from "); ok {
		return refusedClient(rest, "CONNECT", event.Reject, f)
	}
	if strings.HasPrefix(message, "NOQUEUE: ") {
		return refusalFlow(message, f)
	}
	return false
}

// refusalFlow reads "[QID|NOQUEUE: ][milter-]ACTION: STAGE from CLIENT: TEXT" of smtpd
// (smtpd_check.c, log_whatsup), postscreen and cleanup's filters, and "proxy-reject:
// STAGE: TEXT" (smtpd_proxy.c), without a client.
func refusalFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if ok {
		f.QueueID = id
	} else {
		rest = message
	}
	if text, ok := strings.CutPrefix(rest, "proxy-reject: "); ok {
		return proxyRefusal(text, f)
	}
	if text, ok := strings.CutPrefix(rest, "milter-"); ok {
		f.Filter, rest = true, text
	}
	word, rest, ok := strings.Cut(rest, ": ")
	if !ok {
		return false
	}
	action := actionOf(word)
	if action == event.NoAction {
		return false
	}
	stage, rest, ok := cutToken(rest, " from ")
	if !ok {
		return false
	}
	return refusedClient(rest, stage, action, f)
}

// actionOf returns the action of a word like reject, hold or discard.
func actionOf(word string) event.Action {
	switch word {
	case "reject":
		return event.Reject
	case "reject_warning":
		return event.RejectWarning
	case "hold":
		return event.HoldMail
	case "discard":
		return event.DiscardMail
	}
	return event.NoAction
}

// refusedClient reads "CLIENT: TEXT".
func refusedClient(text, stage string, action event.Action, f *event.Flow) bool {
	rest, ok := clientOf(text, f)
	if !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest, ": "); !ok {
		return false
	}
	f.Kind, f.Action, f.Stage = event.FlowRefusal, action, strings.ToUpper(stage)
	f.Text = rest
	readFlowEnvelope(rest, f)
	return true
}

// proxyRefusal reads a refusal of a before-queue filter (smtpd_proxy_filter).
func proxyRefusal(text string, f *event.Flow) bool {
	stage, rest, ok := strings.Cut(text, ": ")
	if !ok || len(stage) > longestToken {
		return false
	}
	f.Kind, f.Action, f.Proxied = event.FlowRefusal, event.Reject, true
	f.Stage, f.Text = "proxy "+strings.ToUpper(stage), rest
	readFlowEnvelope(rest, f)
	return true
}

// readFlowEnvelope notes the client's claims in "; from=<S> to=<R>" or, at postscreen,
// "; from=<S>, to=<R>".
func readFlowEnvelope(text string, f *event.Flow) {
	at := strings.Index(text, "; from=<")
	if at < 0 {
		return
	}
	envelope := text[at+len("; from=<"):]
	sender, envelope, ok := strings.Cut(envelope, ">")
	f.Sender, f.HasSender = sender, ok
	envelope = strings.TrimPrefix(envelope, ",")
	if rest, ok := strings.CutPrefix(envelope, " to=<"); ok {
		f.Recipient, _, _ = strings.Cut(rest, ">")
	}
}

// contentFlow reads "ACTION: header CONTENT from CLIENT; from=<S> to=<R>
// proto=P helo=<H>: TEXT" of header and body checks (cleanup_message.c,
// cleanup_act_log). CONTENT and HELO are the client's, so no address is read: the
// queue ID leads to it. TEXT is the administrator's and stands last.
func contentFlow(text string, f *event.Flow) bool {
	rest := text
	if cut, ok := strings.CutPrefix(rest, "milter-header-"); ok {
		f.Filter, rest = true, cut
	}
	word, rest, ok := strings.Cut(rest, ": ")
	if !ok {
		return false
	}
	action := actionOf(word)
	if word == "warning" {
		action = event.RejectWarning
	}
	stage, content, ok := strings.Cut(rest, " ")
	if action == event.NoAction || !ok || !isContentStage(stage) {
		return false
	}
	f.Kind, f.Action = event.FlowRefusal, action
	f.Stage = "header"
	if stage == "body" {
		f.Stage = "body"
	}
	readContentEnd(content, f)
	return true
}

// readContentEnd reads "; from=<S> to=<R> proto=P helo=<H>: TEXT" behind the content,
// which may be a line of a log itself. "to", "proto" and "helo" may be missing, and so may
// TEXT unless the content was rejected.
func readContentEnd(content string, f *event.Flow) {
	const envelope = "; from=<"
	at := strings.LastIndex(content, envelope)
	if at < 0 {
		return
	}
	end := content[at+len(envelope):]
	f.Sender, _, f.HasSender = strings.Cut(end, ">")
	if f.Action != event.Reject && strings.HasSuffix(end, ">") {
		return
	}
	if at := strings.LastIndex(end, ">: "); at >= 0 {
		f.Text = end[at+len(">: "):]
	} else if _, proto, ok := strings.Cut(end, "> proto="); ok {
		_, f.Text, _ = strings.Cut(proto, ": ")
	}
}

func isContentStage(stage string) bool {
	switch stage {
	case "header", "mime-header", "nested-header", "body":
		return true
	}
	return false
}
