package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

type streamed struct {
	Name    string                    `json:"name"`
	Empty   string                    `json:"empty,omitempty"`
	At      time.Time                 `json:"at"`
	Never   time.Time                 `json:"never,omitzero"`
	N       int                       `json:"n"`
	Big     int64                     `json:"big"`
	Share   float64                   `json:"share"`
	Others  *inStream                 `json:"others,omitempty"`
	Some    *inStream                 `json:"some"`
	None    *inStream                 `json:"none"`
	Numbers []int                     `json:"numbers"`
	Nil     []int                     `json:"nil"`
	NilMap  map[string]int            `json:"nil_map"`
	NoMap   map[string]int            `json:"no_map"`
	Counts  map[string]int            `json:"counts"`
	Deep    map[string]map[string]any `json:"deep"`
	Rows    []inStream                `json:"rows"`
	Lists   []longInStream            `json:"lists"`
	Left    int                       `json:"-"`
	Wait    time.Duration             `json:"wait"`
	Kept    []time.Time               `json:"kept"`
	hidden  int
}

type inStream struct {
	A int    `json:"a"`
	B string `json:"b,omitempty"`
}

type longInStream struct {
	By   map[string]*inStream `json:"by"`
	More []string             `json:"more,omitempty"`
}

// The text is that of an encoder, to the last byte.
func TestStreamWritesWhatAnEncoderDoes(t *testing.T) {
	hostile := "a\"b\\c\n<&>\x00\x7f\u0085\u202e\u2028\xff{}[],: \"é\U0001F600"
	v := streamed{
		Name: hostile, At: time.Date(2026, 6, 1, 12, 0, 0, 7, time.UTC), N: -7, Big: 1 << 60, Share: 0.1, Some: &inStream{1, hostile}, Numbers: []int{1, -2}, NoMap: map[string]int{},
		Counts: map[string]int{hostile: 1, "": 2, "b": 3, "é": 4}, Deep: map[string]map[string]any{"x": {"y": []any{}, "z": map[string]any{}, hostile: []any{1, "]", nil, map[string]any{"k": []int{1}}}}, "none": nil},
		Rows: []inStream{{}, {2, hostile}}, Lists: []longInStream{{}, {map[string]*inStream{"n": nil, "o": {3, ""}}, []string{hostile}}}, Kept: []time.Time{{}}, hidden: 1,
	}
	for i := range 3000 { // more than a piece
		v.Counts[fmt.Sprintf("name %d", i)] = i
		v.Rows = append(v.Rows, inStream{i, strings.Repeat("é", i%50)})
	}
	var want, got bytes.Buffer
	if err := writeJSON(&want, v); err != nil {
		t.Fatal(err)
	}
	s := NewStream(&got)
	s.Value(reflect.ValueOf(v))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want.String() != got.String() {
		at := 0
		for at < min(want.Len(), got.Len()) && want.Bytes()[at] == got.Bytes()[at] {
			at++
		}
		t.Errorf("the text differs at byte %d: got …%.200q, want …%.200q", at, got.Bytes()[max(at-50, 0):], want.Bytes()[max(at-50, 0):])
	}
}

func TestStreamReplacesAField(t *testing.T) {
	var got bytes.Buffer
	s := NewStream(&got)
	s.Fields(reflect.ValueOf(longInStream{}), Member{"by", func() { s.List(2, func(i int) { s.Whole(i) }) }}, Member{"none", func() { s.List(0, nil) }})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"by\": [\n    0,\n    1\n  ],\n  \"none\": []\n}\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

// brokenPipe takes so many bytes.
type brokenPipe struct{ room int }

func (p *brokenPipe) Write(b []byte) (int, error) {
	if p.room -= len(b); p.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestStreamReturnsErrors(t *testing.T) {
	full := NewStream(&brokenPipe{100_000})
	full.Value(reflect.ValueOf(make([]int, 100_000)))
	if err := full.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a full pipe gives %v, want %v", err, io.ErrClosedPipe)
	}
	bad := NewStream(io.Discard)
	bad.Value(reflect.ValueOf([]any{1, make(chan int)}))
	var unsupported *json.UnsupportedTypeError
	if err := bad.Close(); !errors.As(err, &unsupported) {
		t.Errorf("a channel gives %v, want %T", err, unsupported)
	}
}
