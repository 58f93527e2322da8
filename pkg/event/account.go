package event

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Account is the mailbox that a login name stands for, in any spelling. Daemons write
// one account in several ways (Dovecot adds auth_default_realm or drops a domain,
// Postfix logs the name as the client sent it), and a client that picks its own names
// must not pass for another account. So every comparison of names uses one rule: the
// case of letters does not matter (see [FoldLogin]), and the domain begins behind the
// first @, as in Dovecot's %n and %d (src/auth/auth-request-var-expand.c, 2.2 to 2.3).
// An @ at the start begins no domain.
//
//	Bob@Example.org    bob, example.org
//	a@b@c              a, b@c
//	bob  bob@          bob, no domain
//	@bob               @bob, no domain
type Account struct{ Name, Domain string }

// AccountOf returns the account that a login name stands for; the zero Account
// for no name.
func AccountOf(login string) Account { return accountOfFolded(FoldLogin(login)) }

func accountOfFolded(login string) Account {
	at := strings.IndexByte(login, '@')
	if at <= 0 {
		return Account{Name: login}
	}
	return Account{login[:at], login[at+1:]}
}

// Is reports whether both may be the same account. A name without a domain matches it in
// every domain.
func (a Account) Is(b Account) bool {
	return a.Name == b.Name && (a.Domain == b.Domain || a.Domain == "" || b.Domain == "")
}

// FoldLogin returns a login name in lower case. A letter is folded only if it and its
// lower case belong to each other and to no third letter. So Ä becomes ä, but the Kelvin
// sign, which Unicode folds to k, does not turn a name into another account's. Text that
// is not UTF-8 stays as it is. Folding twice changes nothing.
func FoldLogin(login string) string {
	at := plainBytes(login)
	for at < len(login) && login[at] < utf8.RuneSelf && login[at]-'A' > 'Z'-'A' {
		at++
	}
	if at == len(login) { // almost every name
		return login
	}
	next := strings.IndexFunc(login[at:], func(r rune) bool { return foldRune(r) != r })
	if next < 0 {
		return login
	}
	at += next
	folded := append(make([]byte, 0, len(login)+utf8.UTFMax), login[:at]...)
	for at < len(login) {
		r, size := utf8.DecodeRuneInString(login[at:])
		if lower := foldRune(r); lower != r {
			folded = utf8.AppendRune(folded, lower)
		} else {
			folded = append(folded, login[at:at+size]...)
		}
		at += size
	}
	return string(folded)
}

// plainBytes returns how many bytes at the start of a text, in steps of eight, are ASCII
// and no capital letters. It looks at eight bytes at a time: the top bit of each is set
// in the first sum from A on, and in the second sum from behind Z on.
func plainBytes(text string) int {
	const each = 0x0101010101010101
	at := 0
	for ; at+8 <= len(text); at += 8 {
		eight := text[at : at+8]
		word := uint64(eight[0]) | uint64(eight[1])<<8 | uint64(eight[2])<<16 | uint64(eight[3])<<24 |
			uint64(eight[4])<<32 | uint64(eight[5])<<40 | uint64(eight[6])<<48 | uint64(eight[7])<<56
		ascii := word &^ (each * 0x80)
		capitals := (ascii + each*(0x80-'A')) &^ (ascii + each*(0x80-'Z'-1))
		if (word|capitals)&(each*0x80) != 0 {
			break
		}
	}
	return at
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	lower := unicode.ToLower(r)
	if lower < utf8.RuneSelf || unicode.ToUpper(lower) != r {
		return r
	}
	return lower
}
