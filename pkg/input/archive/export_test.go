package archive

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// field writes a field of the export form, in the binary way if it must.
func field(name, value string) string {
	if !strings.ContainsAny(value, "\n\x00") && utf8.ValidString(value) {
		return name + "=" + value + "\n"
	}
	size := binary.LittleEndian.AppendUint64(nil, uint64(len(value)))
	return name + "\n" + string(size) + value + "\n"
}

func lines(t *testing.T, text string) ([]string, error) {
	t.Helper()
	var got []string
	err := readStream(t.Context(), "x", strings.NewReader(text), time.Now(), func(b Block) error {
		got = append(got, strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n")...)
		return nil
	})
	return got, err
}

const forged = "Jun  3 04:11:09 mail postfix/smtpd[1]: warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: x"

// An entry of the export form is one line, whatever its fields hold.
func TestExport(t *testing.T) {
	head := "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1780459869000000\n__SEQNUM=7\n__SEQNUM_ID=4c6b\n_BOOT_ID=4c6b\n"
	for name, tt := range map[string]struct {
		text string
		want map[string]any
	}{
		"text": {head + "_UID=0\nMESSAGE=connect from a=b\n\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "_UID": "0", "MESSAGE": "connect from a=b",
		}},
		"a newline in the message": {head + field("MESSAGE", "x\n"+forged+"\n\n"+"MESSAGE=y") + "_UID=1000\n\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "_UID": "1000", "MESSAGE": "x\n" + forged + "\n\nMESSAGE=y",
		}},
		"a newline in another field": {head + field("CODE_FILE", "x\n\n"+forged+"\n") + "MESSAGE=y\n\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": "y",
		}},
		"bytes": {head + field("MESSAGE", "a\xff") + "\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": []any{97.0, 255.0},
		}},
		"two messages": {head + "MESSAGE=x\nMESSAGE=y\n\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": nil,
		}},
		"an empty message": {head + "MESSAGE=\n\n", map[string]any{"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": ""}},
		"of journal-remote": {"__REALTIME_TIMESTAMP=1780459869000000\nMESSAGE=x\n\n", map[string]any{
			"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": "x",
		}},
		"empty lines more": {head + "MESSAGE=x\n\n\n\n", map[string]any{"__REALTIME_TIMESTAMP": "1780459869000000", "MESSAGE": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lines(t, tt.text)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %d lines %q, %v, want one", len(got), got, err)
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(got[0]), &object); err != nil {
				t.Fatal(err)
			}
			want, _ := json.Marshal(tt.want)
			if have, _ := json.Marshal(object); !bytes.Equal(have, want) {
				t.Errorf("got  %s\nwant %s", have, want)
			}
		})
	}
}

// A file that is cut or damaged is an error, and yields no half entry: one whose
// writer is missing would be believed.
func TestExportDamaged(t *testing.T) {
	const head = "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1780459869000000\n"
	for name, text := range map[string]string{
		"cut in a line":          head + "MESSAGE=x",
		"cut behind a field":     head + "MESSAGE=x\n",
		"cut in a length":        head + "MESSAGE\n\x05\x00",
		"cut in a value":         head + "MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00abc",
		"a length beyond reason": head + "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc\n\n",
		"a length that is wrong": head + "MESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00abc\n\n",
		"no field":               head + forged + "\n\n",
	} {
		got, err := lines(t, text)
		if err == nil || len(got) > 0 || hint.Of(err) == "" {
			t.Errorf("%s: got %q, %v (%s), want an error with a hint and no line", name, got, err, hint.Of(err))
		}
	}
	long := head + field("MESSAGE", strings.Repeat("x\n", 100_000)) + "\n" + head + "MESSAGE=" + strings.Repeat("y", 100_000) + "\n\n"
	if got, err := lines(t, long); err != nil || len(got) != 2 || len(got[0]) > input.MaxLine || len(got[1]) > input.MaxLine {
		t.Errorf("long messages: got %d lines, %v, want 2 short ones", len(got), err)
	}
}

// json-pretty and json-sse come as one object a line; what only begins like them
// stays as it is.
func TestEntryForms(t *testing.T) {
	const want = `{"MESSAGE" : "x","_UID" : "0"}`
	for text, want := range map[string]string{
		"{\n\t\"MESSAGE\" : \"x\",\n\t\"_UID\" : \"0\"\n}\n": want,
		"{\n\t\"A\" : \"1\"\n}\n{\n\t\"A\" : \"2\"\n}\n":     `{"A" : "1"}|{"A" : "2"}`,
		"{\n\t\"A\" : [\n\t\t104,\n\t\t105\n\t]\n}\n":        `{"A" : [104,105]}`,
		"data: {\"A\":\"1\"}\n\ndata: {\"A\":\"2\"}\n\n":     `{"A":"1"}|{"A":"2"}`,
		"{\"A\":\"1\"}\n{\"A\":\"2\"}\n":                     `{"A":"1"}|{"A":"2"}`,
		"{":                                                  "{",
		"{\n":                                                "{",
		"data: x\n":                                          "data: x",
		"_\n":                                                "_",
		"__CURSO\n":                                          "__CURSO",
		"d":                                                  "d",
		"Jun  3 04:11:09 mx a: __CURSOR=x":                   "Jun  3 04:11:09 mx a: __CURSOR=x",
	} {
		got, err := lines(t, text)
		if joined := strings.Join(got, "|"); err != nil || joined != want {
			t.Errorf("%q: got %q, %v, want %q", text, joined, err, want)
		}
	}
	if _, err := lines(t, "{\n\t\"A\" : \"1\"\n"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an object: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// FuzzExport: whatever a message holds, its entry is one line, and the fields of
// another writer never stand beside it.
func FuzzExport(f *testing.F) {
	f.Add("x\n"+forged+"\n\n__CURSOR=s=2\n_UID=0\nMESSAGE=y\n\n", "plain")
	f.Add("\n\n\n", "\x00\xff")
	f.Fuzz(func(t *testing.T, message, other string) {
		text := "__CURSOR=s=1\n" + field("CODE_FUNC", other) + field("MESSAGE", message) + "_UID=1000\n__REALTIME_TIMESTAMP=1\n\n"
		text += "__CURSOR=s=2\nMESSAGE=last\n_UID=0\n\n"
		r := entryForm(iotest.OneByteReader(strings.NewReader(text)))
		all, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
		if len(got) != 2 {
			t.Fatalf("got %d lines, want 2: %q", len(got), got)
		}
		var first map[string]any
		if err := json.Unmarshal([]byte(got[0]), &first); err != nil || first["_UID"] != "1000" {
			t.Fatalf("got %q, %v, want the entry of user 1000", got[0], err)
		}
		if !strings.Contains(got[1], `"last"`) || !strings.Contains(got[1], `"_UID":"0"`) {
			t.Fatalf("got %q, want the second entry", got[1])
		}
	})
}
