package cache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"dfsmount/internal/disk/simdisk"
	"dfsmount/seal"
	"dfsmount/segment"
)

// childDir, in the environment of this test binary, makes it a process that writes to the store there until it is killed.
const childDir = "CACHE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

func childOptions() Options {
	return Options{
		SegmentSize: 256 << 10, SealAge: 20 * time.Millisecond, OverlayBytes: 64 << 10, CheckpointMin: 64 << 10,
		Wait: 10 * time.Second,
	}
}

// child says on its standard output after each Sync how many transactions it has made. Values are as long as the number says, so that a
// reader can tell the whole state from the number alone.
func child(dir string) {
	s, err := Open(ctx, dir, seal.TestKeys(), childOptions())
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	for n := childState(s) + 1; ; n++ {
		l, err := s.Append(extentBytes(n, 1+n%5000))
		if err == nil {
			err = s.Update(func(tx *Tx) error {
				tx.Put([]byte("N"), numberValue(n))
				tx.Put(childKey(n), appendLocation(numberValue(n), l))
				return nil
			})
		}
		if err == nil && n%3 == 0 {
			if err = s.Sync(ctx); err == nil {
				fmt.Println(n)
			}
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
}

func childKey(n int) []byte { return fmt.Appendf(nil, "K%04d", n%997) }

func childState(s *Store) (n int) {
	s.View(func(tx *Tx) error {
		v, err := tx.Get([]byte("N"))
		if v != nil {
			n = int(v[4])<<24 | int(v[5])<<16 | int(v[6])<<8 | int(v[7])
		}
		return err
	})
	return n
}

// TestKill kills a process that writes, with SIGKILL, again and again, and each time compares what is there with what it
// had said was durable. The index is bbolt's; now and then it is deleted.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(ctx, dir, seal.TestKeys(), childOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	last := 0
	for round := range 12 {
		said := runAndKill(t, dir, time.Duration(20+rand.IntN(120))*time.Millisecond)
		if round%4 == 3 {
			if err := os.Remove(dir + "/" + indexName); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(ctx, dir, seal.TestKeys(), childOptions())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		n := childState(s)
		if n < max(said, last) {
			t.Fatalf("round %d: %d transactions are there, %d were durable", round, n, max(said, last))
		}
		checkChild(t, s, n)
		last = n
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d transactions in 12 lives", last)
}

// runAndKill runs a child for a while and returns the last number it said.
func runAndKill(t *testing.T, dir string, life time.Duration) (said int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // it lives
			kill = time.AfterFunc(life, func() { cmd.Process.Kill() })
		}
		if said, err = strconv.Atoi(lines.Text()); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
	}
	cmd.Wait() // "signal: killed"
	return said
}

func checkChild(t *testing.T, s *Store, n int) {
	t.Helper()
	got := contents(t, s)
	if want := min(n, 997) + 1; n > 0 && len(got) != want {
		t.Errorf("%d entries, want %d", len(got), want)
	}
	for i := max(1, n-996); i <= n; i++ {
		v := got[string(childKey(i))]
		if len(v) < 8 || v[:8] != string(numberValue(i)) {
			t.Fatalf("entry of transaction %d of %d is %x", i, n, v)
		}
		if i%50 == n%50 {
			r := reader{b: []byte(v[8:])}
			l := r.location()
			b := make([]byte, l.Length)
			if err := s.Read(ctx, l, 0, b); err != nil || string(b) != string(extentBytes(i, 1+i%5000)) {
				t.Fatalf("extent of transaction %d: %v", i, err)
			}
		}
	}
}

// TestLock: a second opener is told who has the directory, can wait for it, and finds everything then.
func TestLock(t *testing.T) {
	dir, keys := t.TempDir(), seal.TestKeys()
	s, err := Create(ctx, dir, keys, Options{Holder: "held by a test"})
	if err != nil {
		t.Fatal(err)
	}
	var locked *ErrLocked
	if _, err := Open(ctx, dir, keys, Options{}); !errors.As(err, &locked) {
		t.Fatalf("a second Open returned %v", err)
	}
	if locked.By.PID != os.Getpid() || locked.By.What != "held by a test" || locked.By.Since.IsZero() {
		t.Errorf("the holder is %+v", locked.By)
	}
	if err := putOne(s, "A", "1"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *Store)
	go func() {
		s, err := Open(ctx, dir, keys, Options{Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = <-opened
	if got := contents(t, s); got["A"] != "1" {
		t.Errorf("state is %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("a second Close returned %v", err)
	}
}

// TestParallel runs everything at once for the race detector, and checks each writer's own keys at the end.
func TestParallel(t *testing.T) {
	d := simdisk.New()
	s := open(t, d)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() { parallelWriter(t, s, w) })
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.View(func(tx *Tx) error {
				return tx.Scan([]byte("P"), nil, func(k, v []byte) bool { return true })
			})
			s.Space()
			s.Unsealed()
			s.Segments(1)
		}
	})
	wg.Wait()
	close(stop)
	readers.Wait()
	if err := s.Checkpoint(ctx); err != nil {
		t.Error(err)
	}
	for w := range 4 {
		if v := contents(t, s)[string(parallelKey(w, 0))]; v == "" {
			t.Errorf("writer %d left nothing", w)
		}
	}
}

func parallelKey(w, i int) []byte { return fmt.Appendf(nil, "P%d/%03d", w, i%150) }

func parallelWriter(t *testing.T, s *Store, w int) {
	for i := range 300 {
		data := extentBytes(i, 1+i*7)
		l, err := s.Append(data)
		if err == nil {
			err = s.Update(func(tx *Tx) error { tx.Put(parallelKey(w, i), appendLocation(nil, l)); return nil })
		}
		if err == nil && i%10 == 0 {
			err = s.Sync(ctx)
		}
		if err == nil && i%90 == 0 {
			_, err = s.SealNow(ctx)
		}
		if err != nil {
			t.Error(err)
			return
		}
		if err := readBack(s, l, data); err != nil {
			t.Error(err)
			return
		}
	}
}

func readBack(s *Store, l segment.Location, want []byte) error {
	got := make([]byte, len(want))
	if err := s.Read(ctx, l, 0, got); err != nil {
		return err
	}
	if string(got) != string(want) {
		return io.ErrUnexpectedEOF
	}
	return nil
}
