package cache

import (
	"bytes"
	"context"
	"testing"

	"dfsmount/seal"
	"dfsmount/segment"
)

// A segment is sealed, and its file closed to make room for others, while somebody reads it: the reader keeps it open until it is done.
func TestReaderKeepsItsSegmentOpen(t *testing.T) {
	ctx := context.Background()
	s, err := Create(ctx, t.TempDir(), seal.TestKeys(), Options{OpenSegments: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := bytes.Repeat([]byte("read me "), 1000)
	sealSegment := func() segment.Location {
		l, err := s.Append(want)
		if err == nil {
			err = s.Update(func(tx *Tx) error { tx.Put([]byte("t"), []byte("v")); return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := sealSegment()
	r, done, err := s.reader(l.Segment)
	if err != nil {
		t.Fatal(err)
	}
	file := s.log.find(l.Segment).file
	for range 3 { // it is sealed, and others push it out of the table
		if _, err := s.SealNow(ctx); err != nil {
			t.Fatal(err)
		}
		sealSegment()
	}
	if s.handles.use(l.Segment) != nil {
		t.Fatal("the segment is still in the table: the test tests nothing")
	}
	if got, err := r.ReadFrame(nil, segment.KindExtent, l); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read while the segment was pushed out: %v", err)
	}
	done()
	if s.handles.pin(file) {
		t.Fatal("the last user is gone and the file is still open")
	}
	if err := s.Read(ctx, l, 0, make([]byte, len(want))); err != nil {
		t.Fatalf("read after it was closed: %v", err)
	}
}
