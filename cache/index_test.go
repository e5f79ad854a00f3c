package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dfsmount/internal/disk/simdisk"
)

// The suite both implementations of index are held to. reopen closes an index and opens it again.
func TestIndex(t *testing.T) {
	t.Run("bbolt", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), indexName)
		testIndex(t, func() (index, error) { return openBolt(path, 1<<20) })
	})
	t.Run("memory", func(t *testing.T) {
		d := simdisk.New()
		testIndex(t, func() (index, error) { return openMem(d) })
	})
}

func testIndex(t *testing.T, open func() (index, error)) {
	x := mustOpen(t, open)
	for name, test := range map[string]func(*testing.T, index){
		"put, get, delete": indexPutGet, "all or nothing": indexAtomic, "scan": indexScan, "large": indexLarge,
	} {
		t.Run(name, func(t *testing.T) { test(t, x) })
	}
	want := indexDump(t, x)
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	x = mustOpen(t, open)
	if got := indexDump(t, x); got != want {
		t.Errorf("after reopening:\n%s\nwant\n%s", got, want)
	}
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, open func() (index, error)) index {
	t.Helper()
	x, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func indexDump(t *testing.T, x index) (s string) {
	t.Helper()
	for _, b := range buckets {
		err := x.scan(b, func(k, v []byte) error { s += fmt.Sprintf("%s %x %d %.8x\n", b, k, len(v), v); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func indexValue(t *testing.T, x index, b bucket, key string) (value []byte) {
	t.Helper()
	if err := x.get(b, []byte(key), func(v []byte) error { value = bytes.Clone(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return value
}

func indexPutGet(t *testing.T, x index) {
	key := []byte("one") // reused: slices are the caller's again after the update
	err := x.update(func(w indexWriter) error {
		if err := w.put(bucketLocal, key, []byte("1")); err != nil {
			return err
		}
		return errors.Join(w.put(bucketLocal, []byte("two"), []byte("2")), w.delete(bucketLocal, []byte("none")))
	})
	if err != nil {
		t.Fatal(err)
	}
	copy(key, "xxx")
	if v := indexValue(t, x, bucketLocal, "one"); string(v) != "1" {
		t.Errorf("one is %q", v)
	}
	if v := indexValue(t, x, bucketPages, "one"); v != nil {
		t.Errorf("buckets are not apart: %q", v)
	}
	if err := x.update(func(w indexWriter) error { return w.delete(bucketLocal, []byte("one")) }); err != nil {
		t.Fatal(err)
	}
	if v := indexValue(t, x, bucketLocal, "one"); v != nil {
		t.Errorf("deleted, but %q", v)
	}
}

func indexAtomic(t *testing.T, x index) {
	no := errors.New("no")
	err := x.update(func(w indexWriter) error { return errors.Join(w.put(bucketDir, []byte("k"), []byte("v")), no) })
	if !errors.Is(err, no) {
		t.Fatalf("update returned %v", err)
	}
	if v := indexValue(t, x, bucketDir, "k"); v != nil {
		t.Errorf("an update that failed left %q", v)
	}
}

func indexScan(t *testing.T, x index) {
	err := x.update(func(w indexWriter) error {
		for i := range 300 {
			if err := w.put(bucketPages, pageKey(uint64(i*7919%300)), []byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n, stop := 0, errors.New("stop")
	err = x.scan(bucketPages, func(k, _ []byte) error {
		if !bytes.Equal(k, pageKey(uint64(n))) {
			t.Errorf("entry %d has key %x", n, k)
		}
		if n++; n == 200 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 200 {
		t.Errorf("scan ended after %d entries: %v", n, err)
	}
}

func indexLarge(t *testing.T, x index) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	if err := x.update(func(w indexWriter) error { return w.put(bucketMeta, []byte("large"), large) }); err != nil {
		t.Fatal(err)
	}
	if v := indexValue(t, x, bucketMeta, "large"); !bytes.Equal(v, large) {
		t.Errorf("%d bytes came back, want %d", len(v), len(large))
	}
}

// TestIndexDamaged: a bbolt file that is no longer one is reported as unusable, which makes Open rebuild it.
func TestIndexDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), indexName)
	if err := os.WriteFile(path, bytes.Repeat([]byte("junk"), 8<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBolt(path, 1<<20); !unusable(err) {
		t.Errorf("opening junk returned %v", err)
	}
}
