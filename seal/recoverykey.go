package seal

import (
	"fmt"
	"strings"
	"unicode"

	"filippo.io/age"
)

// RecoveryKey opens the volume like a passphrase, but is random: an age X25519 identity, to be kept on paper.
type RecoveryKey struct{ id *age.X25519Identity }

const (
	recoveryPrefix = "AGE-SECRET-KEY-1"
	recoveryBody   = 58 // characters behind it: 52 of key, 6 of checksum
	recoveryGroup  = 4
	recoveryLine   = 5 // groups
)

// Format keeps the key out of every log line, whatever the verb.
func (r *RecoveryKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.RecoveryKey(secret)") }

// Age is the key as age itself writes it: one line for `age -d -i`.
func (r *RecoveryKey) Age() string { return r.id.String() }

// Paper is the key in groups that can be written down and typed back: four lines, without a newline at the end.
//
//	AGE-SECRET-KEY-1
//	XXXX XXXX XXXX XXXX XXXX
//	XXXX XXXX XXXX XXXX XXXX
//	XXXX XXXX XXXX XXXX XX
func (r *RecoveryKey) Paper() string {
	var b strings.Builder
	b.WriteString(recoveryPrefix)
	for i, c := range strings.TrimPrefix(r.id.String(), recoveryPrefix) {
		switch {
		case i%(recoveryGroup*recoveryLine) == 0:
			b.WriteByte('\n')
		case i%recoveryGroup == 0:
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// lookalikes are letters that a key never has, for what they were read as on paper.
var lookalikes = strings.NewReplacer("O", "0", "I", "L", "1", "L", "B", "8")

// ParseRecoveryKey reads what a person typed: the key as Age or Paper has it, in any case, with spaces, dashes and line breaks
// anywhere, with or without the first line. ErrRecoveryKey, with what is wrong, if it is none: the checksum
// finds every mistake of up to four characters, and all but one in a billion of the others.
func ParseRecoveryKey(text string) (*RecoveryKey, error) {
	if len(text) > 1024 {
		return nil, fmt.Errorf("%w: it has %d characters", ErrRecoveryKey, len(text))
	}
	body := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
	body = strings.TrimPrefix(body, "AGESECRETKEY")
	if len(body) == recoveryBody+1 && strings.ContainsAny(body[:1], "1IL") {
		body = body[1:] // the 1 that ends the prefix
	}
	if len(body) != recoveryBody {
		return nil, fmt.Errorf("%w: it has %d characters after %s, want %d", ErrRecoveryKey, len(body), recoveryPrefix, recoveryBody)
	}
	id, err := age.ParseX25519Identity(recoveryPrefix + lookalikes.Replace(body))
	if err != nil { // not wrapped: it might quote the key
		return nil, fmt.Errorf("%w: its checksum does not match, so at least one character is wrong", ErrRecoveryKey)
	}
	return &RecoveryKey{id}, nil
}
