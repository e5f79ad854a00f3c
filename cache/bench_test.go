package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"dfsmount/seal"
	"dfsmount/segment"
)

func benchStore(b *testing.B, o Options) *Store {
	b.Helper()
	s, err := Create(ctx, b.TempDir(), seal.TestKeys(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// benchKey is as long and as local as the keys of inodes are.
func benchKey(n int) []byte { return binary.BigEndian.AppendUint64([]byte("I"), uint64(n)) }

func BenchmarkUpdate(b *testing.B) {
	s := benchStore(b, Options{})
	value := make([]byte, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k, d := benchKey(i), append([]byte("D"), benchKey(i/100)...)
		err := s.Update(func(tx *Tx) error {
			tx.Put(k, value)
			tx.Put(d, value[:20])
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	const n = 300_000
	fill := func(b *testing.B, o Options) *Store {
		s := benchStore(b, o)
		for i := range n {
			if err := s.Update(func(tx *Tx) error { tx.Put(benchKey(i), make([]byte, 100)); return nil }); err != nil {
				b.Fatal(err)
			}
		}
		return s
	}
	get := func(b *testing.B, s *Store) {
		b.ReportAllocs()
		for b.Loop() {
			k := benchKey(rand.IntN(n))
			if err := s.View(func(tx *Tx) error { _, err := tx.Get(k); return err }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("overlay", func(b *testing.B) { get(b, fill(b, Options{OverlayBytes: 1 << 30})) })
	for name, cache := range map[string]int64{"pages": 1 << 30, "cold": 1} {
		b.Run(name, func(b *testing.B) {
			s := fill(b, Options{PageCacheBytes: cache})
			if err := s.flush(); err != nil {
				b.Fatal(err)
			}
			get(b, s)
		})
	}
}

func BenchmarkScan100(b *testing.B) {
	s := benchStore(b, Options{})
	for i := range 100_000 {
		if err := s.Update(func(tx *Tx) error { tx.Put(benchKey(i), make([]byte, 100)); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		left := 100
		from := benchKey(rand.IntN(99_000))
		if err := s.View(func(tx *Tx) error {
			return tx.Scan(from, nil, func(_, _ []byte) bool { left--; return left > 0 })
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSync(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d goroutines", n), func(b *testing.B) {
			s := benchStore(b, Options{})
			var wg sync.WaitGroup
			work := make(chan int)
			for range n {
				wg.Go(func() {
					for i := range work {
						err := s.Update(func(tx *Tx) error { tx.Put(benchKey(i), make([]byte, 100)); return nil })
						if err == nil {
							err = s.Sync(ctx)
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				work <- i
			}
			close(work)
			wg.Wait()
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	s := benchStore(b, Options{})
	data := make([]byte, MaxExtent)
	b.SetBytes(MaxExtent)
	for b.Loop() {
		if _, err := s.Append(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead4K(b *testing.B) {
	s := benchStore(b, Options{ExtentBytes: 1 << 20})
	var at []segment.Location
	for range 256 {
		l, err := s.Append(make([]byte, MaxExtent))
		if err != nil {
			b.Fatal(err)
		}
		at = append(at, l)
	}
	dst := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Read(ctx, at[rand.IntN(len(at))], rand.IntN(63)*4096, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlush(b *testing.B) {
	s := benchStore(b, Options{OverlayBytes: 1 << 40})
	for i := range 300_000 {
		if err := s.Update(func(tx *Tx) error { tx.Put(benchKey(i), make([]byte, 100)); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.flush(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for range 10_000 {
			i := rand.IntN(300_000)
			if err := s.Update(func(tx *Tx) error { tx.Put(benchKey(i), make([]byte, 100)); return nil }); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.flush(); err != nil {
			b.Fatal(err)
		}
	}
}
