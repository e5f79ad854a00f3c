package segment_test

import (
	"testing"

	"dfsmount/internal/disk"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/segment"
)

// zeroCounter counts the bytes of writes that are nothing but zeros.
type zeroCounter struct {
	disk.File
	zeros int64
}

func (f *zeroCounter) WriteAt(p []byte, off int64) (int, error) {
	for _, b := range p {
		if b != 0 {
			return f.File.WriteAt(p, off)
		}
	}
	f.zeros += int64(len(p))
	return f.File.WriteAt(p, off)
}

// Small syncs get zeros ahead of them, within what is allocated; streams do not.
func TestZerosAhead(t *testing.T) {
	for name, c := range map[string]struct {
		frame, frames int
		want          func(zeros, end int64) bool
	}{
		"small syncs": {4 << 10, 100, func(zeros, end int64) bool { return zeros > end/2 && zeros <= 1<<20 }},
		"a few":       {4 << 10, 3, func(zeros, _ int64) bool { return zeros == 0 }},
		"stream":      {64 << 10, 12, func(zeros, _ int64) bool { return zeros == 0 }},
		"to the end":  {4 << 10, 240, func(zeros, end int64) bool { return zeros > end/2 && zeros <= 1<<20 }},
	} {
		t.Run(name, func(t *testing.T) {
			d := simdisk.New()
			f := &zeroCounter{File: create(t, d, "7.open")} // 1 MiB
			w, err := segment.NewWriter(f, keys, header)
			must(t, err)
			var at []segment.Location
			for range c.frames {
				l, err := w.Append(segment.KindExtent, text(c.frame))
				must(t, err)
				must(t, w.Sync())
				at = append(at, l)
			}
			if !c.want(f.zeros, w.Size()) {
				t.Errorf("%d bytes of zeros ahead of %d bytes of frames", f.zeros, w.Size())
			}
			must(t, w.AppendCommit(commit(header.FirstSeq, "a", "1")))
			_, err = w.Seal(segment.Footer{})
			must(t, err)
			for _, l := range at {
				if got, err := w.ReadFrame(nil, segment.KindExtent, l); err != nil || len(got) != c.frame {
					t.Fatalf("frame at %d: %v", l.Offset, err)
				}
			}
			_, err = segment.Verify(f)
			must(t, err)
		})
	}
}
