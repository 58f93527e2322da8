package event

import (
	"strings"
	"testing"
)

func TestAccountOf(t *testing.T) {
	tests := map[string]Account{
		"":                {},
		"bob":             {Name: "bob"},
		"BOB@Example.ORG": {"bob", "example.org"},
		"a@b@c":           {"a", "b@c"},
		"bob@":            {Name: "bob"},
		"@bob":            {Name: "@bob"},
		"@":               {Name: "@"},
		"Ä@Ö.example":     {"ä", "ö.example"},
		"\u212aim":        {Name: "\u212aim"}, // the Kelvin sign is not the k of kim
		"\u0130da":        {Name: "\u0130da"}, // nor the dotted I the i of ida
		"\u017fam":        {Name: "\u017fam"}, // nor the long s that of sam
		"\u212bsa":        {Name: "\u212bsa"}, // nor the Angstrom sign the å of åsa
		"\xc4B\xff":       {Name: "\xc4b\xff"},
	}
	for login, want := range tests {
		if got := AccountOf(login); got != want {
			t.Errorf("AccountOf(%q) = %q, want %q", login, got, want)
		}
		if once := FoldLogin(login); FoldLogin(once) != once {
			t.Errorf("FoldLogin(%q) = %q, and folding that gives %q", login, once, FoldLogin(once))
		}
	}
}

// Whoever compares accounts by their hashes says what the comparison of their texts
// says.
func TestSameAccount(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"bob", "Bob@example.org", true},
		{"bob@example.org", "bob", true},
		{"bob@example.org", "bob@example.net", false},
		{"ä", "Ä", true},
		{"a@b@c", "a@b", false},
		{"a@b@c", "a", true},
		{"a@b@c", "A@B@C", true},
		{"kim", "\u212aim", false},
		{"\xc4", "\xe4", false},
		{"ey0habw3", "ceo", false}, // one number under FNV-1a of 32 bits
		{"bob", "", false},
	}
	for _, key := range []HashKey{{}, {1}, {15: 7}} {
		for _, tt := range tests {
			if got := AccountOf(tt.a).Is(AccountOf(tt.b)); got != tt.want {
				t.Errorf("%q is %q: got %t, want %t", tt.a, tt.b, got, tt.want)
			}
			if got := key.Account(tt.a).Is(key.Account(tt.b)); got != tt.want {
				t.Errorf("key %x: %q is %q: got %t, want %t", key, tt.a, tt.b, got, tt.want)
			}
		}
	}
}

// The vectors are those of the authors' reference implementation (vectors.h, key
// 00 01 … 0f, input 00 01 …).
func TestSum(t *testing.T) {
	var key HashKey
	for i := range key {
		key[i] = byte(i)
	}
	var input strings.Builder
	for i := range 15 {
		input.WriteByte(byte(i))
	}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		text := input.String()[:n]
		if got := key.Sum(text); got != want || key.SumBytes([]byte(text)) != want {
			t.Errorf("the hash of %d bytes is %x, want %x", n, got, want)
		}
	}
	if (HashKey{}).Sum("ceo") == (HashKey{1}).Sum("ceo") {
		t.Error("two keys hash alike")
	}
}

// Eight bytes at a time fold as each byte alone, whatever the byte and its place.
func TestFoldInWords(t *testing.T) {
	for b := range 256 {
		for at := range 19 {
			login := []byte("abcdefgh-12345678z@")
			login[at] = byte(b)
			var want strings.Builder
			for _, r := range strings.SplitAfter(string(login), "") { // one letter or byte each
				want.WriteString(FoldLogin(r))
			}
			if got := FoldLogin(string(login)); got != want.String() {
				t.Fatalf("FoldLogin(%q): got %q, want %q", login, got, want.String())
			}
		}
	}
}
