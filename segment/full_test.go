package segment

import (
	"errors"
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

// TestTooLarge: a frame that would leave no room for the footer is refused, smaller ones are not, and what was taken can be sealed.
func TestTooLarge(t *testing.T) {
	f, err := simdisk.New().Open("f", disk.Create)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(f, seal.TestKeys(), Header{Number: 1, FirstSeq: 1})
	if err != nil {
		t.Fatal(err)
	}
	// As if one large frame had been written: really to write 4 GiB takes too long.
	length := uint32(MaxPlain)
	for w.end+FrameSize(int(length)) < MaxSize-100_000 {
		f := FrameInfo{KindExtent, uint32(w.end), length}
		w.frames, w.end = append(w.frames, f), f.End()
		if w.end+FrameSize(int(length)) > MaxSize {
			length = uint32(MaxSize - w.end - 2_000_000)
		}
	}
	c := Commit{Seq: 1}
	value := make([]byte, 1000)
	for i := range 50 {
		c.Changes = append(c.Changes, Change{Key: []byte{byte(i)}, Value: value})
	}
	refused := 0
	for n := 40_000; n > 0; {
		_, err := w.Append(KindExtent, make([]byte, n))
		switch {
		case errors.Is(err, ErrTooLarge):
			refused++
			n /= 2
		case err != nil:
			t.Fatal(err)
		case c.Seq == 1 && w.end > MaxSize-200_000:
			if err := w.AppendCommit(&c); err != nil {
				t.Fatal(err)
			}
			c.Seq++
		}
	}
	if err := w.AppendCommit(&c); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a commit of 50 KB: %v", err)
	}
	if room := MaxSize - w.Size() - w.FooterSize(); refused < 10 || room < 0 || room > 100 {
		t.Errorf("%d bytes of room are left, %d frames refused", room, refused)
	}
	s, err := w.Seal(Footer{})
	if err != nil || s.Size > MaxSize {
		t.Errorf("sealed to %d bytes, %v", s.Size, err)
	}
}
