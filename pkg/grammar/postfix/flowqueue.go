package postfix

import (
	"strconv"
	"strings"

	"csmail/pkg/event"
)

// receivedFlow reads "QID: client=NAME[ADDR], orig_queue_id=…, sasl_username=…"
// (smtpd.c, smtpd_start_record; since 2.9 with orig_queue_id where XFORWARD
// IDENT gave one). NOQUEUE is the client of a mail that smtpd hands to its proxy
// filter: it has no queue file.
func receivedFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if !ok || id == "" {
		return false
	}
	text, ok := strings.CutPrefix(rest, "client=")
	if !ok {
		return false
	}
	if rest, ok = clientOf(text, f); !ok {
		return false
	}
	f.Kind, f.QueueID = event.FlowReceived, id
	rest = strings.TrimPrefix(rest, ", ")
	if value, ok := strings.CutPrefix(rest, "sasl_method="); ok {
		_, rest, _ = strings.Cut(value, ", ")
	}
	if value, ok := strings.CutPrefix(rest, "sasl_username="); ok {
		f.User, rest = cutUser(value)
	}
	if value, ok := strings.CutPrefix(rest, "sasl_sender="); ok {
		_, rest, _ = strings.Cut(value, ", orig_queue_id=")
		rest = "orig_queue_id=" + rest
	}
	if value, ok := strings.CutPrefix(rest, "orig_queue_id="); ok {
		f.ID, _, _ = strings.Cut(value, ", ")
	}
	return true
}

// cutUser splits a login name, which may hold ", ", from the attributes behind
// it.
func cutUser(text string) (user, rest string) {
	for _, next := range [...]string{", sasl_sender=", ", orig_queue_id=", ", orig_client="} {
		if at := strings.Index(text, next); at >= 0 {
			return text[:at], text[at+len(", "):]
		}
	}
	return text, ""
}

// pickupFlow reads "QID: uid=N from=<SENDER>" (pickup.c, pickup_copy). " orig_id=QID"
// behind it names the queue file that postsuper -r put back.
func pickupFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if !ok || id == "" || !strings.HasPrefix(rest, "uid=") {
		return false
	}
	_, sender, ok := strings.Cut(rest, " from=<")
	if !ok {
		return false
	}
	f.Kind, f.QueueID = event.FlowSubmitted, id
	if at := strings.LastIndex(sender, "> orig_id="); at >= 0 && isQueueID(sender[at+len("> orig_id="):]) {
		sender, f.ID = sender[:at], sender[at+len("> orig_id="):]
	}
	f.Sender, f.HasSender = strings.TrimSuffix(sender, ">"), true
	return true
}

func isQueueID(text string) bool {
	id, rest, ok := cutQueueID(text + ": ")
	return ok && id != "" && rest == ""
}

// qmgrFlow reads "QID: from=<S>, size=N, nrcpt=N (queue active)", "QID:
// from=<S>, status=expired, returned to sender" (qmgr_active.c) and "QID:
// removed". The sender is the client's text, so the attributes behind it are
// read from the end. It logs a delivery itself if the agent does not answer.
func qmgrFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if !ok || id == "" {
		return false
	}
	f.QueueID = id
	if rest == "removed" {
		f.Kind = event.FlowRemoved
		return true
	}
	text, ok := strings.CutPrefix(rest, "from=<")
	if !ok {
		return deliveryFlow(message, f)
	}
	f.HasSender = true
	for _, end := range [...]string{">, status=expired, returned to sender", ">, status=force-expired, returned to sender"} {
		if sender, ok := strings.CutSuffix(text, end); ok {
			f.Kind, f.Sender = event.FlowExpired, sender
			return true
		}
	}
	return queued(text, f)
}

// queued reads "S>, size=N, nrcpt=N (queue active)" from its end.
func queued(text string, f *event.Flow) bool {
	at := strings.LastIndexByte(text, '>')
	if at < 0 {
		return false
	}
	size, ok := strings.CutPrefix(text[at:], ">, size=")
	if !ok {
		return false
	}
	digits, _, ok := strings.Cut(size, ", nrcpt=")
	if !ok {
		return false
	}
	bytes, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || bytes < 0 {
		return false
	}
	f.Kind, f.Sender, f.Size = event.FlowQueued, text[:at], bytes
	return true
}

// cleanupFlow reads the Message-ID, "removed (canceled)" (cleanup_api.c, since 3.10), the
// actions of header checks and filters, and the bounce of a local mail that they refuse.
func cleanupFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if !ok || id == "" {
		return false
	}
	f.QueueID = id
	if text, ok := strings.CutPrefix(rest, "message-id="); ok {
		f.Kind, f.ID = event.FlowMessageID, text
		return true
	}
	if strings.HasPrefix(rest, "removed (") || rest == "removed" {
		f.Kind = event.FlowRemoved
		return true
	}
	if strings.HasPrefix(rest, "to=<") {
		return deliveryFlow(message, f)
	}
	return contentFlow(rest, f) || refusalFlow(message, f)
}
