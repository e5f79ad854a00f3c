package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

var day = time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("somewhere", 3600))

// cheap makes slots that open in a millisecond.
func cheap(name string) SlotOptions { return SlotOptions{Name: name, Created: day, WorkFactor: 2} }

// newVolume returns a header with one passphrase, "correct horse", and a recovery key.
func newVolume(t testing.TB) (*Header, *VolumeKey, *RecoveryKey) {
	t.Helper()
	h, key := NewHeader(NewVolumeID(), AES256GCM, day), NewVolumeKey()
	if err := h.AddPassphrase(key, cheap("first"), []byte("correct horse")); err != nil {
		t.Fatal(err)
	}
	recovery, err := h.AddRecovery(key, cheap("paper"))
	if err != nil {
		t.Fatal(err)
	}
	return h, key, recovery
}

// reread sends h through its text.
func reread(t testing.TB, h *Header) *Header {
	t.Helper()
	b, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestHeaderUnlocks(t *testing.T) {
	h, key, recovery := newVolume(t)
	h = reread(t, h)
	if h.Generation != 2 || len(h.Slots) != 2 || h.Created != time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC) {
		t.Fatalf("another header came back: %+v", h)
	}
	a, err := h.Unlock([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.UnlockRecovery(recovery)
	if err != nil {
		t.Fatal(err)
	}
	if !a.equal(key) || !b.equal(key) {
		t.Fatal("another key came back")
	}
	if err := h.Verify(key.Derive(h.Volume)); err != nil {
		t.Fatal(err)
	}
}

func TestHeaderDoesNotUnlock(t *testing.T) {
	h, key, _ := newVolume(t)
	_, _, stranger := newVolume(t)
	for _, passphrase := range []string{"", "correct horsf", "correct horse\n", "Correct horse"} {
		if k, err := h.Unlock([]byte(passphrase)); !errors.Is(err, ErrPassphrase) || k != nil {
			t.Errorf("passphrase %q: error %v", passphrase, err)
		}
	}
	if k, err := h.UnlockRecovery(stranger); !errors.Is(err, ErrPassphrase) || k != nil {
		t.Errorf("the recovery key of another volume: error %v", err)
	}
	if err := h.RemoveSlot(key, "first"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Unlock([]byte("correct horse")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a removed slot: error %v", err)
	}
}

// K4: TestHeaderMAC alters every field of a signed header, by someone who knows the text but not the key.
func TestHeaderMAC(t *testing.T) {
	h, key, recovery := newVolume(t)
	stranger, strangerKey := NewHeader(h.Volume, AES256GCM, day), NewVolumeKey()
	if err := stranger.AddPassphrase(strangerKey, cheap("x"), []byte("other")); err != nil {
		t.Fatal(err)
	}
	for what, alter := range map[string]func(h *Header){
		"volume":       func(h *Header) { h.Volume[0] ^= 1 },
		"created":      func(h *Header) { h.Created = h.Created.Add(time.Second) },
		"generation":   func(h *Header) { h.Generation++ },
		"suite":        func(h *Header) { h.Suite = ChaCha20Poly1305 },
		"slot removed": func(h *Header) { h.Slots = h.Slots[1:] },
		"slot added":   func(h *Header) { h.Slots = append(h.Slots, stranger.Slots[0]) },
		"slots turned": func(h *Header) { h.Slots = []Slot{h.Slots[1], h.Slots[0]} },
		"slot name":    func(h *Header) { h.Slots[0].Name = "second" },
		"slot date":    func(h *Header) { h.Slots[0].Created = day.AddDate(1, 0, 0) },
		"slot blob":    func(h *Header) { h.Slots[0].Age = stranger.Slots[0].Age },
		"mac":          func(h *Header) { h.mac[31] ^= 1 },
		"no mac":       func(h *Header) { h.mac = [32]byte{} },
	} {
		altered := reread(t, h)
		alter(altered)
		altered = reread(t, altered) // well formed
		if k, err := altered.UnlockRecovery(recovery); !errors.Is(err, ErrHeaderMAC) || k != nil {
			t.Errorf("%s: UnlockRecovery gave error %v", what, err)
		}
		if err := altered.Verify(key.Derive(h.Volume)); !errors.Is(err, ErrHeaderMAC) {
			t.Errorf("%s: Verify gave error %v", what, err)
		}
		if err := altered.AddPassphrase(key, cheap("new"), []byte("p")); !errors.Is(err, ErrHeaderMAC) {
			t.Errorf("%s: an altered header was signed anew, error %v", what, err)
		}
	}
}

// TestKeyOfAnOutsider has a slot that opens with the right recovery key and holds the key of someone else.
func TestKeyOfAnOutsider(t *testing.T) {
	h, key, recovery := newVolume(t)
	blob, err := wrap(NewVolumeKey(), recovery.id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	h.Slots[1].Age = blob
	if k, err := h.UnlockRecovery(recovery); !errors.Is(err, ErrHeaderMAC) || k != nil {
		t.Fatalf("error %v", err)
	}
	// The same as one slot more, in front: the right one still opens, but the header is not what was signed.
	h.Slots[1].Age, _ = wrap(key, recovery.id.Recipient())
	h.Slots = append([]Slot{{Name: "mine", Kind: SlotRecovery, Age: blob}}, h.Slots...)
	if k, err := h.UnlockRecovery(recovery); !errors.Is(err, ErrHeaderMAC) || k != nil {
		t.Fatalf("error %v", err)
	}
}

func TestDamagedSlot(t *testing.T) {
	h, _, _ := newVolume(t)
	h.Slots[0].Age = []byte("not an age file")
	if _, err := h.Unlock([]byte("correct horse")); !errors.Is(err, ErrSlot) || errors.Is(err, ErrPassphrase) {
		t.Errorf("the only slot is damaged: error %v", err)
	}
	h, key, _ := newVolume(t)
	if err := h.AddPassphrase(key, cheap("second"), []byte("other")); err != nil {
		t.Fatal(err)
	}
	h.Slots[0].Age = []byte("not an age file")
	_, err := h.Unlock([]byte("correct horse"))
	if !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), `"first"`) {
		t.Errorf("a damaged slot beside a good one: error %v", err)
	}
}

// TestExpensiveSlot has a slot whose maker wants 4 GiB of our memory.
func TestExpensiveSlot(t *testing.T) {
	h, _, _ := newVolume(t)
	text := string(h.Slots[0].Age)
	if !strings.Contains(text, " 2\n") {
		t.Fatal("no work factor of 2 found in the slot")
	}
	h.Slots[0].Age = []byte(strings.Replace(text, " 2\n", " 22\n", 1))
	start := time.Now()
	_, err := h.Unlock([]byte("correct horse"))
	if !errors.Is(err, ErrSlot) || !strings.Contains(err.Error(), "work factor too large") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v to refuse", took)
	}
}

// TestSlotOfWrongSize has age files that open and hold something else than 32 bytes.
func TestSlotOfWrongSize(t *testing.T) {
	h, _, recovery := newVolume(t)
	for _, n := range []int{0, 31, 33, 1000} {
		var blob bytes.Buffer
		w, err := age.Encrypt(&blob, recovery.id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h.Slots[1].Age = blob.Bytes()
		if k, err := h.UnlockRecovery(recovery); !errors.Is(err, ErrSlot) || k != nil {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
}

func TestSlotsRefused(t *testing.T) {
	h, key, _ := newVolume(t)
	before, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
		if after, _ := h.Marshal(); !bytes.Equal(before, after) {
			t.Errorf("%s: the header changed", what)
		}
	}
	for _, name := range []string{"", " x", "x ", "a\nb", `a"b`, "ä", "<", strings.Repeat("x", 65), "first"} {
		refused(fmt.Sprintf("name %q", name), h.AddPassphrase(key, cheap(name), []byte("p")))
	}
	refused("empty passphrase", h.AddPassphrase(key, cheap("new"), nil))
	refused("work factor 21", h.AddPassphrase(key, SlotOptions{Name: "new", WorkFactor: 21}, []byte("p")))
	refused("work factor -1", h.AddPassphrase(key, SlotOptions{Name: "new", WorkFactor: -1}, []byte("p")))
	refused("another volume key", h.AddPassphrase(NewVolumeKey(), cheap("new"), []byte("p")))
	refused("removal of a slot that is not there", h.RemoveSlot(key, "nobody"))
}

func TestNumberOfSlots(t *testing.T) {
	h, key, _ := newVolume(t)
	for i := 1; i < maxPassphraseSlots; i++ {
		if err := h.AddPassphrase(key, cheap(fmt.Sprint("slot ", i)), []byte("p")); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddPassphrase(key, cheap("more"), []byte("p")); err == nil {
		t.Errorf("%d passphrases were accepted", maxPassphraseSlots+1)
	}
	for i := len(h.Slots); i < maxSlots; i++ {
		if _, err := h.AddRecovery(key, cheap(fmt.Sprint("paper ", i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.AddRecovery(key, cheap("more")); err == nil {
		t.Errorf("%d slots were accepted", maxSlots+1)
	}
	b, err := h.Marshal()
	if err != nil {
		t.Fatalf("a full header: %v", err)
	}
	t.Logf("a full header has %d bytes of %d", len(b), MaxHeaderSize)
	for _, s := range h.Slots[1:] {
		if err := h.RemoveSlot(key, s.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.RemoveSlot(key, "first"); err == nil || len(h.Slots) != 1 {
		t.Error("the last slot was removed")
	}
	if _, err := h.Unlock([]byte("correct horse")); err != nil {
		t.Error(err)
	}
}

func TestHeaderWithoutSlots(t *testing.T) {
	if _, err := NewHeader(VolumeID{}, AES256GCM, day).Marshal(); !errors.Is(err, ErrHeader) {
		t.Errorf("error %v", err)
	}
}

// TestHeaderRefused edits the text of a good header. Unknown things must be named, and what is wrong be said.
func TestHeaderRefused(t *testing.T) {
	h, _, _ := newVolume(t)
	good, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		want     error
		text     string
	}{
		{`"format": 1`, `"format": 2`, ErrVersion, "format 2"},
		{`"format": 1`, `"format": -1`, ErrVersion, "format -1"},
		{`"format": 1`, `"format": 2, "more": {}`, ErrVersion, "format 2"},
		{`"features": []`, `"features": ["erasure"]`, ErrFeature, `"erasure"`},
		{`"format": 1,`, `"format": 2, "features": {},`, ErrVersion, "format 2"},
		{`"format": 1,`, ``, ErrHeader, "names no format"},
		{`"format": 1`, `"format": 1, "extra": 1`, ErrHeader, "extra"},
		{`"format": 1`, `"Format": 1`, ErrHeader, "form that dfsmount writes"},
		{`"format": 1`, `"format": 1, "format": 1`, ErrHeader, "form that dfsmount writes"},
		{`"format": 1`, `"format":  1`, ErrHeader, "form that dfsmount writes"},
		{`"features": []`, `"features": null`, ErrHeader, "form that dfsmount writes"},
		{`"generation": 2`, `"generation": -2`, ErrHeader, "generation"},
		{`aes-256-gcm`, `rot13`, ErrFeature, "rot13"},
		{`"kind": "passphrase"`, `"kind": "tpm"`, ErrFeature, "tpm"},
		{`"name": "paper"`, `"name": "first"`, ErrHeader, "two key slots"},
		{`"name": "paper"`, `"name": "\u001b[2J"`, ErrHeader, "key slot named"},
		{`"age": "`, `"age": "*`, ErrHeader, "key slot"},
		{`"created": "2026`, `"created": "206`, ErrHeader, "created"},
		{`"mac": "`, `"mac": "00`, ErrHeader, "mac"},
		{`"volume": "`, `"volume": "0`, ErrHeader, "volume"},
		{"}\n", "}\n{}", ErrHeader, ""},
		{"}\n", "} ", ErrHeader, "form that dfsmount writes"},
	} {
		i := strings.LastIndex(string(good), c.old)
		if i < 0 {
			t.Fatalf("%s is not in the header", c.old)
		}
		bad := string(good[:i]) + c.new + string(good[i+len(c.old):])
		h, err := ParseHeader([]byte(bad))
		if !errors.Is(err, c.want) || h != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s for %s: error %v", c.new, c.old, err)
		}
	}
	if _, err := ParseHeader(append(good, make([]byte, MaxHeaderSize)...)); !errors.Is(err, ErrHeader) {
		t.Errorf("a header of over 64 KiB: error %v", err)
	}
}

func TestHeaderEveryTruncationAndFlip(t *testing.T) {
	h, _, recovery := newVolume(t)
	good, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if h, err := ParseHeader(good[:n]); err == nil || h != nil {
			t.Fatalf("cut to %d bytes: error %v", n, err)
		}
	}
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		h, err := ParseHeader(bad)
		if err != nil {
			continue
		}
		if key, err := h.UnlockRecovery(recovery); err == nil || key != nil {
			t.Fatalf("bit %d of byte %d flipped: the volume opened", bit%8, bit/8)
		}
	}
}

// TestHeaderIsPlain says what anyone sees of a volume, and that it is JSON to other programs.
func TestHeaderIsPlain(t *testing.T) {
	h, key, recovery := newVolume(t)
	b, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields) != 8 {
		t.Errorf("%d fields", len(fields))
	}
	key.buf.Use(func(raw []byte) {
		if bytes.Contains(b, raw) {
			t.Error("the volume key is in the header")
		}
	})
	if strings.Contains(string(b), recovery.Age()) || strings.Contains(string(b), "correct horse") {
		t.Error("a secret is in the header")
	}
}

// K5: any bytes at all.
func FuzzParseHeader(f *testing.F) {
	v := readVector(f, "header-aes.txt") // the same in every process that fuzzes
	good := []byte(v.body)
	recovery, err := ParseRecoveryKey(v.text("recovery-key"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"format": 1`), []byte(`"format": 2`), 1))
	f.Add([]byte(`{"format": 1}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil {
			if h != nil {
				t.Fatal("a header beside an error")
			}
			if !errors.Is(err, ErrHeader) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrFeature) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := h.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("what was read is not what is written (error %v)", err)
		}
		if _, err := h.UnlockRecovery(recovery); err == nil && !bytes.Equal(data, good) {
			t.Fatal("an altered header opened")
		}
	})
}
