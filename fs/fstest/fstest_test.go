package fstest

import (
	"testing"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
)

// TestPlainDirectory proves the suite right.
func TestPlainDirectory(t *testing.T) {
	Test(t, func(t *testing.T) Target { return Plain(t.TempDir()) })
}

func TestInProcess(t *testing.T) {
	Test(t, func(t *testing.T) Target {
		s, err := cache.Create(ctx, "", seal.TestKeys(), cache.Options{Disk: simdisk.New()})
		if err != nil {
			t.Fatal(err)
		}
		f, err := fs.New(s, fs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			p, err := f.Check(ctx)
			if err != nil || len(p) > 0 {
				t.Errorf("check: %v %v", err, p)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return InProcess(f)
	})
}
