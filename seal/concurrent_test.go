package seal

import (
	"bytes"
	"sync"
	"testing"
)

// TestConcurrentUse has many goroutines share one key of each kind; the race detector and the bytes are the judges.
func TestConcurrentUse(t *testing.T) {
	keys := TestKeys()
	s, x := testSegment(AES256GCM), keys.Index(Salt{3})
	hash := keys.NameHash(1, "name")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				n := 1 + (g*50+i)*331%70000
				p, plain := Place{Kind: Kind(g), Offset: uint64(i), Length: uint32(n)}, noise(n)
				sealed, err := s.Seal(nil, p, plain)
				if err != nil {
					t.Error(err)
					return
				}
				if back, err := s.Open(nil, p, sealed); err != nil || !bytes.Equal(back, plain) {
					t.Errorf("frame of %d bytes: error %v or other bytes", n, err)
				}
				part := make([]byte, n/2)
				if err := s.OpenRange(part, p, bytes.NewReader(sealed), n/3); err != nil || !bytes.Equal(part, plain[n/3:n/3+n/2]) {
					t.Errorf("range of %d bytes: error %v or other bytes", n/2, err)
				}
				value := x.SealValue(nil, plain[:1], plain[:n%100])
				if back, err := x.OpenValue(nil, plain[:1], value); err != nil || !bytes.Equal(back, plain[:n%100]) {
					t.Errorf("value of %d bytes: error %v or other bytes", n%100, err)
				}
				if keys.NameHash(1, "name") != hash || keys.Segment(7, 1, Salt{}, AES256GCM).Commitment() == s.Commitment() {
					t.Error("a derivation gave something else")
				}
			}
		})
	}
	wg.Wait()
}
