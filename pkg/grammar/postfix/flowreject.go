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

// readFlowEnvelope notes the client's claims in "; from=<S> to=<R> proto=P" or, at
// postscreen, "; from=<S>, to=<R>, proto=P". The reply before it may quote the sender.
func readFlowEnvelope(text string, f *event.Flow) {
	for {
		at := strings.Index(text, envelopePrefix)
		if at < 0 {
			return
		}
		text = text[at+len(envelopePrefix):]
		sender, rest, ok := cutMailbox(text)
		rest = strings.TrimPrefix(rest, ",")
		recipient, hasRecipient := strings.CutPrefix(rest, " to=<")
		if !ok || !hasRecipient && rest != "" && !strings.HasPrefix(rest, " proto=") {
			continue
		}
		f.Sender, f.HasSender = sender, true
		if hasRecipient {
			f.Recipient, _, _ = cutMailbox(recipient)
		}
		return
	}
}

const envelopePrefix = "; from=<"

// cutMailbox takes a mail address and the ">" behind it off the start of text. Postfix
// logs it as RFC 5321 writes it (info_log_addr_form, since 3.5), so a ">" may stand in
// quotes before the "@".
func cutMailbox(text string) (address, rest string, ok bool) {
	end := 0
	if strings.HasPrefix(text, `"`) {
		for end = 1; end < len(text) && text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
	}
	if end >= len(text) {
		end = 0 // as older versions write it
	}
	closing := strings.IndexByte(text[end:], '>')
	if closing < 0 {
		return text, "", false
	}
	end += closing
	return text[:end], text[end+1:], true
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

// readContentEnd reads "; from=<S> to=<R> proto=P helo=<H>: TEXT" behind the content. The
// content may be a line of a log itself, so the last one that ends as Postfix writes it
// counts.
func readContentEnd(content string, f *event.Flow) {
	for at := len(content); ; {
		if at = strings.LastIndex(content[:at], envelopePrefix); at < 0 {
			return
		}
		sender, rest, ok := cutMailbox(content[at+len(envelopePrefix):])
		if !ok {
			continue
		}
		if text, ok := cutEnvelopeEnd(rest); ok {
			f.Sender, f.HasSender, f.Text = sender, true, text
			return
		}
	}
}

// cutEnvelopeEnd reads " to=<R> proto=P helo=<H>: TEXT". Each part may be missing. Postfix
// puts "?" for each "<", ">" and blank of a HELO (src/smtpd/smtpd.c, NEUTER_CHARACTERS).
func cutEnvelopeEnd(rest string) (text string, ok bool) {
	if to, has := strings.CutPrefix(rest, " to=<"); has {
		if _, rest, ok = cutMailbox(to); !ok {
			return "", false
		}
	}
	if proto, has := strings.CutPrefix(rest, " proto="); has {
		rest = proto[len(proto)-len(strings.TrimLeft(proto, "ESMTP")):]
	}
	if helo, has := strings.CutPrefix(rest, " helo=<"); has {
		if _, rest, ok = strings.Cut(helo, ">"); !ok {
			return "", false
		}
	}
	text, hasText := strings.CutPrefix(rest, ": ")
	return text, hasText || rest == ""
}

func isContentStage(stage string) bool {
	switch stage {
	case "header", "mime-header", "nested-header", "body":
		return true
	}
	return false
}
