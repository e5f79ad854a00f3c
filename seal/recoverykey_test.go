package seal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRecoveryKeyOnPaper(t *testing.T) {
	_, _, r := newVolume(t)
	paper := r.Paper()
	lines := strings.Split(paper, "\n")
	if len(lines) != 4 || lines[0] != "AGE-SECRET-KEY-1" || len(lines[1]) != 24 || len(lines[3]) != 22 {
		t.Fatalf("paper:\n%s", paper)
	}
	body := strings.Join(lines[1:], "\n")
	for what, typed := range map[string]string{
		"as age has it":      r.Age(),
		"as on paper":        paper,
		"in lower case":      strings.ToLower(paper),
		"on one line":        strings.ReplaceAll(paper, "\n", " "),
		"without spaces":     strings.ReplaceAll(strings.ReplaceAll(paper, "\n", ""), " ", ""),
		"with dashes":        strings.ReplaceAll(paper, " ", "-"),
		"with long dashes":   strings.ReplaceAll(paper, " ", "–"),
		"with odd spaces":    "\t" + strings.ReplaceAll(paper, " ", "  ") + "\r\n",
		"without prefix":     body,
		"with I for 1":       strings.Replace(paper, "KEY-1", "KEY-I", 1),
		"with O for 0":       strings.ReplaceAll(body, "0", "O"),
		"with 1 and I for L": strings.Replace(strings.ReplaceAll(body, "L", "1"), "1", "i", 1),
		"with B for 8":       strings.ReplaceAll(body, "8", "b"),
		"with a hard space":  "\u00a0" + paper,
	} {
		back, err := ParseRecoveryKey(typed)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if back.Age() != r.Age() {
			t.Errorf("%s: another key came back", what)
		}
	}
}

// TestRecoveryKeyMistakes makes every mistake of one character, and every exchange of two neighbours.
func TestRecoveryKeyMistakes(t *testing.T) {
	_, _, r := newVolume(t)
	body := strings.TrimPrefix(r.Age(), recoveryPrefix)
	wrong := func(what, typed string) {
		t.Helper()
		back, err := ParseRecoveryKey(typed)
		if !errors.Is(err, ErrRecoveryKey) || back != nil {
			t.Errorf("%s: error %v", what, err)
		} else if typed != "" && strings.Contains(err.Error(), typed) {
			t.Errorf("%s: the error quotes the key", what)
		}
	}
	for i := range body {
		for _, c := range "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" {
			if rune(body[i]) != c {
				wrong(fmt.Sprintf("character %d", i), body[:i]+string(c)+body[i+1:])
			}
		}
		wrong(fmt.Sprintf("character %d left out", i), body[:i]+body[i+1:])
		wrong(fmt.Sprintf("character %d doubled", i), body[:i]+body[i:i+1]+body[i:])
		if i > 0 && body[i] != body[i-1] {
			wrong(fmt.Sprintf("characters %d turned", i), body[:i-1]+body[i:i+1]+body[i-1:i]+body[i+1:])
		}
	}
	wrong("nothing", "")
	wrong("a sentence", "correct horse battery staple")
	wrong("a novel", strings.Repeat("A", 2000))
	wrong("a public key", "age1"+strings.Repeat("q", 58))
}

func TestRecoveryKeyDoesNotPrint(t *testing.T) {
	_, _, r := newVolume(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, r); got != "seal.RecoveryKey(secret)" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
