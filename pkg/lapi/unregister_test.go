package lapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"csmail/pkg/hint"
)

func TestUnregister(t *testing.T) {
	for name, tt := range map[string]struct {
		lapi *fakeLAPI
		left int
		want string // a part of the error; "" for none
	}{
		"forgotten":              {&fakeLAPI{}, 1, ""},
		"not known there":        {&fakeLAPI{loginStatus: http.StatusUnauthorized, loginMessage: "incorrect Username or Password"}, 0, ""},
		"a LAPI of before 1.6.3": {&fakeLAPI{old: true}, 0, "forgets no machine"},
	} {
		err := tt.lapi.serve(t).Unregister(t.Context())
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), "cscli machines delete")) {
			t.Errorf("%s: got error %v (hint %q), want %q", name, err, hint.Of(err), tt.want)
		}
		if tt.lapi.left != tt.left {
			t.Errorf("%s: got %d requests to be forgotten, want %d", name, tt.lapi.left, tt.left)
		}
	}
	client, err := New(Credentials{URL: "http://127.0.0.1:1/", Login: "m", Password: "p"}, "1.0")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Unregister(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(hint.Of(err), "cscli machines delete m") {
		t.Errorf("nobody listens: got error %v (hint %q), want %v", err, hint.Of(err), ErrUnreachable)
	}
}
