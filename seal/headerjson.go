package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// headerJSON is the form of volume.json. There is one way only to write a header, this one, with two spaces of
// indent, fields in this order and a newline at the end; ParseHeader refuses all others. So the MAC can be over
// the text, and no two texts mean the same.
type headerJSON struct {
	Format     int        `json:"format"`     // Format1
	Volume     string     `json:"volume"`     // 32 digits of lower-case hex
	Created    string     `json:"created"`    // RFC 3339, UTC, whole seconds
	Generation uint64     `json:"generation"` // from 1
	Suite      string     `json:"suite"`      // aes-256-gcm or chacha20-poly1305
	Features   []string   `json:"features"`
	Slots      []slotJSON `json:"slots"`
	MAC        string     `json:"mac"` // 64 digits of lower-case hex; the MAC is over the text with nothing here
}

type slotJSON struct {
	Name    string `json:"name"`    // unique, 1 to 64 of: letters, digits, space, -_.@+
	Kind    string `json:"kind"`    // passphrase or recovery
	Created string `json:"created"` // RFC 3339, UTC, whole seconds
	Age     string `json:"age"`     // base64 of an age file that holds the 32 bytes of the volume key
}

// timeFormat has whole seconds, in UTC.
const timeFormat = "2006-01-02T15:04:05Z"

// Marshal returns the text of volume.json. It reads its own output back before it returns it.
func (h *Header) Marshal() ([]byte, error) {
	b, err := h.encode(hex.EncodeToString(h.mac[:]))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxHeaderSize {
		return nil, fmt.Errorf("%w: %d bytes, want up to %d", ErrHeader, len(b), MaxHeaderSize)
	}
	if _, err := ParseHeader(b); err != nil {
		return nil, err
	}
	return b, nil
}

// encode writes h in its only form.
func (h *Header) encode(mac string) ([]byte, error) {
	j := headerJSON{
		Format: FormatNewest, Volume: hex.EncodeToString(h.Volume[:]), Created: h.Created.UTC().Format(timeFormat),
		Generation: h.Generation, Suite: h.Suite.String(), Features: append([]string{}, h.Features...),
		Slots: []slotJSON{}, MAC: mac,
	}
	for _, s := range h.Slots {
		j.Slots = append(j.Slots, slotJSON{
			Name: s.Name, Kind: string(s.Kind), Created: s.Created.UTC().Format(timeFormat),
			Age: base64.StdEncoding.EncodeToString(s.Age),
		})
	}
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode volume.json: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseHeader reads volume.json, which may come from anyone. ErrVersion and ErrFeature if a newer dfsmount is needed,
// else ErrHeader for whatever Marshal would not have written. What it returns is well formed and not yet to be
// believed: Unlock and Verify see to that. It costs a few milliseconds at most.
func ParseHeader(data []byte) (*Header, error) {
	if len(data) > MaxHeaderSize {
		return nil, fmt.Errorf("%w: %d bytes, want up to %d", ErrHeader, len(data), MaxHeaderSize)
	}
	if err := checkKnown(data); err != nil {
		return nil, err
	}
	h, err := decodeHeader(data)
	if err != nil {
		return nil, err
	}
	if again, err := h.encode(hex.EncodeToString(h.mac[:])); err != nil || !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: it is not in the form that dfsmount writes", ErrHeader)
	}
	return h, nil
}

// checkKnown looks at format and features first, each by itself and leniently: what else a newer version writes may
// well look wrong to us.
func checkKnown(data []byte) error {
	var v struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("%w: %v", ErrHeader, err)
	}
	if v.Format == 0 {
		return fmt.Errorf("%w: it names no format", ErrHeader)
	}
	if err := checkFormat(v.Format); err != nil {
		return err
	}
	var f struct {
		Features []string `json:"features"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%w: %v", ErrHeader, err)
	}
	return checkFeatures(f.Features)
}

// decodeHeader reads the text strictly, except for what comparing with encode's output finds out.
func decodeHeader(data []byte) (*Header, error) {
	var j headerJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrHeader, err)
	}
	suite, err := ParseSuite(j.Suite)
	if err != nil {
		return nil, err
	}
	h := &Header{Generation: j.Generation, Suite: suite, Features: j.Features}
	if h.Created, err = time.Parse(timeFormat, j.Created); err != nil {
		return nil, fmt.Errorf("%w: created: %v", ErrHeader, err)
	}
	if err := decodeHex(h.Volume[:], j.Volume); err != nil {
		return nil, fmt.Errorf("%w: volume: %v", ErrHeader, err)
	}
	if err := decodeHex(h.mac[:], j.MAC); err != nil {
		return nil, fmt.Errorf("%w: mac: %v", ErrHeader, err)
	}
	for _, s := range j.Slots {
		slot, err := s.decode()
		if err != nil {
			return nil, err
		}
		h.Slots = append(h.Slots, slot)
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	return h, nil
}

func (s slotJSON) decode() (Slot, error) {
	created, err := time.Parse(timeFormat, s.Created)
	if err != nil {
		return Slot{}, fmt.Errorf("%w: created of key slot %.64q: %v", ErrHeader, s.Name, err)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(s.Age)
	if err != nil {
		return Slot{}, fmt.Errorf("%w: key slot %.64q: %v", ErrHeader, s.Name, err)
	}
	return Slot{Name: s.Name, Kind: SlotKind(s.Kind), Created: created, Age: blob}, nil
}

// decodeHex fills out from its hexadecimal form.
func decodeHex(out []byte, text string) error {
	b, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	if len(b) != len(out) {
		return fmt.Errorf("%d bytes, want %d", len(b), len(out))
	}
	copy(out, b)
	return nil
}
