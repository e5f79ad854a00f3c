package integration

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The writers of the crash test on a directory of the machine's own: what they find there passes.
func TestOraclePassesWhatIsRight(t *testing.T) {
	l := loadOnDisk(t)
	for range 2 {
		l.verify(t)
		work(t, l)
	}
	l.verify(t)
	for _, w := range l.writers {
		if w.done() == 0 {
			t.Errorf("%s did nothing", w.name())
		}
	}
}

// And what a crash must not do to them is noticed: a check that cannot fail would prove nothing.
func TestOracleNoticesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		writer, what string
		harm         func(dir string) error
	}{
		{"appender", "the last record is lost", func(dir string) error { return shorten(filepath.Join(dir, "log"), 30) }},
		{"appender", "zeros in the middle", func(dir string) error { return overwrite(filepath.Join(dir, "log"), 100, make([]byte, 50)) }},
		{"appender", "zeros at the end", func(dir string) error { return extend(filepath.Join(dir, "log"), 4096) }},
		{"appender", "the file is lost", func(dir string) error { return os.Remove(filepath.Join(dir, "log")) }},
		{"replacer", "half of the new content", func(dir string) error { return shorten(filepath.Join(dir, "file"), 10) }},
		{"replacer", "the right size and zeros", func(dir string) error { return overwrite(filepath.Join(dir, "file"), 0, make([]byte, 24)) }},
		{"replacer-synced", "an older version", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "file"), record(2, 0, 500), 0o644)
		}},
		{"patcher", "a block of another place", func(dir string) error { return overwrite(filepath.Join(dir, "db"), 0, record(7, 1, patchBlock)) }},
		{"patcher", "a torn block", func(dir string) error { return tearBlock(filepath.Join(dir, "db")) }},
		{"patcher", "shorter than acknowledged", func(dir string) error { return os.Truncate(filepath.Join(dir, "db"), 0) }},
		{"sequence", "a gap", func(dir string) error { return os.Remove(filepath.Join(dir, "3")) }},
		{"sequence", "more than was made", func(dir string) error { return os.WriteFile(filepath.Join(dir, "x"), nil, 0o644) }},
		{"mover", "two names", func(dir string) error { return os.WriteFile(filepath.Join(dir, "left", "0"), nil, 0o644) }},
		{"mover", "no name", func(dir string) error { return emptyDir(filepath.Join(dir, "left"), filepath.Join(dir, "right")) }},
		{"builder", "an acknowledged name is lost", func(dir string) error { return emptyDir(dir) }},
		{"builder", "a link too many", func(dir string) error {
			return os.Link(filepath.Join(dir, "anchor"), filepath.Join(dir, "secret link"))
		}},
		{"bulk", "a hole", func(dir string) error { return overwriteFirst(dir, 5000, make([]byte, 4096)) }},
		{"bulk", "longer than written", func(dir string) error { return extendFirst(dir, 3<<20) }},
	} {
		t.Run(c.writer+": "+c.what, func(t *testing.T) {
			l := loadOnDisk(t)
			l.writers = slices.DeleteFunc(l.writers, func(w writer) bool { return w.name() != c.writer })
			work(t, l)
			for i, w := range l.writers {
				if w.name() != c.writer {
					continue
				}
				dir := filepath.Join(l.root, fmt.Sprintf("%d-%s", i, w.name()))
				if err := c.harm(dir); err != nil {
					t.Fatal(err)
				}
				if err := w.verify(dir); err == nil {
					t.Error("not noticed")
				} else {
					t.Log(err)
				}
				return
			}
			t.Fatal("no such writer")
		})
	}
}

func loadOnDisk(t *testing.T) *load { return newLoad(t.TempDir(), 1) }

// work runs the load until every writer has done something of everything.
func work(t *testing.T, l *load) {
	const enough = 30
	l.stop.Store(false)
	for i := range l.steps {
		l.steps[i].Store(0)
	}
	l.run(t, func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range l.writers {
			for l.steps[i].Load() < enough {
				<-tick.C
			}
		}
		l.stop.Store(true)
	})
}

func shorten(path string, by int64) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, fi.Size()-by)
}

func extend(path string, by int64) error { return shorten(path, -by) }

func overwrite(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

// tearBlock zeroes the second half of a block that was written.
func tearBlock(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for at := 0; at+patchBlock <= len(b); at += patchBlock {
		if strings.Trim(string(b[at:at+patchBlock]), "\x00") != "" {
			return overwrite(path, int64(at+patchBlock/2), make([]byte, patchBlock/2))
		}
	}
	return io.ErrUnexpectedEOF
}

func emptyDir(dirs ...string) error {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func firstIn(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return "", fmt.Errorf("no file in %s: %w", dir, err)
	}
	return filepath.Join(dir, entries[0].Name()), nil
}

func overwriteFirst(dir string, at int64, b []byte) error {
	path, err := firstIn(dir)
	if err != nil {
		return err
	}
	return overwrite(path, at, b)
}

func extendFirst(dir string, by int64) error {
	path, err := firstIn(dir)
	if err != nil {
		return err
	}
	return extend(path, by)
}
