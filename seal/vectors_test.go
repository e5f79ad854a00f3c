package seal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The vectors were made by another implementation, testdata/vectors.py. Each begins with lines "name: value", among
// them "expect: success" or what must go wrong; after an empty line come bytes in hex, or the text of a volume.json.
//
//go:embed testdata/vectors/*.txt
var vectors embed.FS

// wantVectors is how many there are: a vector that is not read any more must be missed.
var wantVectors = map[string]int{"keys": 2, "frame": 22, "value": 4, "header": 11}

// vector is one file.
type vector struct {
	t      testing.TB
	fields map[string]string
	body   string
}

func readVector(t testing.TB, name string) vector {
	t.Helper()
	data, err := vectors.ReadFile("testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := strings.Cut(string(data), "\n\n")
	if !found {
		t.Fatal("no empty line behind the head")
	}
	v := vector{t, map[string]string{}, body}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, found := strings.Cut(line, ":")
		if _, twice := v.fields[key]; !found || twice {
			t.Fatalf("line %q", line)
		}
		v.fields[key] = strings.TrimSpace(value)
	}
	return v
}

func (v vector) text(name string) string {
	v.t.Helper()
	s, ok := v.fields[name]
	if !ok {
		v.t.Fatalf("no line %q", name)
	}
	return s
}

func (v vector) number(name string) uint64 {
	v.t.Helper()
	n, err := strconv.ParseUint(v.text(name), 10, 64)
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

func (v vector) bytes(name string) []byte {
	v.t.Helper()
	return unhex(v.t, v.text(name))
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v vector) keys() *Keys {
	return volumeKeyOf(v.bytes("volume-key")).Derive(VolumeID(v.bytes("volume")))
}

func (v vector) segment() (*SegmentKey, Suite) {
	suite := Suite(v.number("suite"))
	return v.keys().Segment(v.number("number"), v.number("epoch"), Salt(v.bytes("salt")), suite), suite
}

func (v vector) place() Place {
	return Place{Kind(v.number("kind")), v.number("offset"), uint32(v.number("length"))}
}

// outcomes are the words behind "expect:".
var outcomes = map[string]error{
	"success": nil, "not authentic": ErrAuth, "no slot": ErrPassphrase, "altered": ErrHeaderMAC, "damaged": ErrHeader,
	"unknown format": ErrVersion, "unknown feature": ErrFeature,
}

// expects compares an error with what the vector says.
func (v vector) expects(what string, err error) {
	v.t.Helper()
	want, ok := outcomes[v.text("expect")]
	if !ok {
		v.t.Fatalf("expect: %s", v.text("expect"))
	}
	if !errors.Is(err, want) {
		v.t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func TestVectors(t *testing.T) {
	files, err := vectors.ReadDir("testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range files {
		got[readVector(t, f.Name()).text("vector")]++
		t.Run(strings.TrimSuffix(f.Name(), ".txt"), func(t *testing.T) {
			v := readVector(t, f.Name())
			switch kind := v.text("vector"); kind {
			case "keys":
				v.testKeys()
			case "frame":
				v.testFrame()
			case "value":
				v.testValue()
			case "header":
				v.testHeader()
			default:
				t.Fatalf("vector: %s", kind)
			}
		})
	}
	if fmt.Sprint(got) != fmt.Sprint(wantVectors) {
		t.Errorf("%d vectors read: %v, want %v", len(files), got, wantVectors)
	}
}

func (v vector) testKeys() {
	s, _ := v.segment()
	if c := s.Commitment(); !bytes.Equal(c[:], v.bytes("commitment")) {
		v.t.Errorf("commitment %x", c)
	}
	if key := keyOf(s, v.place()); !bytes.Equal(key, v.bytes("frame-key")) {
		v.t.Errorf("frame key %x", key)
	}
	if h := v.keys().NameHash(v.number("parent"), string(v.bytes("name"))); fmt.Sprintf("%016x", h) != v.text("name-hash") {
		v.t.Errorf("name hash %016x", h)
	}
}

// patternOf is the plaintext of all frames in vectors.
func patternOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func (v vector) testFrame() {
	s, suite := v.segment()
	p, sealed := v.place(), unhex(v.t, v.body)
	if v.text("expect") == "success" {
		if !bytes.Equal(keyOf(s, p), v.bytes("frame-key")) {
			v.t.Error("the frame key is another one")
		}
		made := dareOracle(v.t, keyOf(s, p), suite, [12]byte(v.bytes("random")), patternOf(int(p.Length)))
		if len(sealed) == 0 { // too long for a text file
			sum := sha256.Sum256(made)
			if sealed = made; !bytes.Equal(sum[:], v.bytes("sealed-sha256")) {
				v.t.Error("the sealed bytes are others")
			}
		} else if !bytes.Equal(made, sealed) {
			v.t.Error("the sealed bytes are others")
		}
	}
	plain, err := s.Open(nil, p, sealed)
	if v.expects("Open", err); err == nil && !bytes.Equal(plain, patternOf(int(p.Length))) {
		v.t.Error("other bytes came back")
	}
	plain = make([]byte, p.Length)
	if len(sealed) <= SealedSize(len(plain)) { // a range does not see what follows its frame
		err = s.OpenRange(plain, p, bytes.NewReader(sealed), 0)
		if v.expects("OpenRange", err); err == nil && !bytes.Equal(plain, patternOf(int(p.Length))) {
			v.t.Error("other bytes came back from the range")
		}
	}
}

func (v vector) testValue() {
	x := v.keys().Index(Salt(v.bytes("salt")))
	plain, err := x.OpenValue(nil, v.bytes("place"), unhex(v.t, v.body))
	if v.expects("OpenValue", err); err == nil && !bytes.Equal(plain, v.bytes("plain")) {
		v.t.Errorf("%x came back", plain)
	}
}

func (v vector) testHeader() {
	h, err := ParseHeader([]byte(v.body))
	if err != nil {
		v.expects("ParseHeader", err)
		return
	}
	if again, err := h.Marshal(); err != nil || string(again) != v.body {
		v.t.Errorf("it is written in another way, error %v", err)
	}
	want := volumeKeyOf(v.bytes("volume-key"))
	key, err := h.Unlock([]byte(v.text("passphrase")))
	if v.expects("Unlock", err); err == nil && !key.equal(want) {
		v.t.Error("the passphrase gives another key")
	}
	if v.text("recovery-key") == "" {
		return
	}
	recovery, err := ParseRecoveryKey(v.text("recovery-key"))
	if err != nil {
		v.t.Fatal(err)
	}
	key, err = h.UnlockRecovery(recovery)
	if v.expects("UnlockRecovery", err); err == nil && !key.equal(want) {
		v.t.Error("the recovery key gives another key")
	}
}
