package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// decoder takes a body apart. It keeps its first error; everything after that is zero. It is strict: what it accepts,
// the encoder makes of the result again, byte for byte.
type decoder struct {
	rest []byte
	err  error
}

var errShortBody = errors.New("ends too soon")

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	switch {
	case n == 0:
		d.fail(errShortBody)
		return 0
	case n < 0 || (n > 1 && d.rest[n-1] == 0):
		d.fail(errors.New("a number is not written the shortest way"))
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// upTo is a number of at most limit.
func (d *decoder) upTo(limit uint64, what string) uint64 {
	v := d.uvarint()
	if v > limit {
		d.fail(fmt.Errorf("%s %d is over %d", what, v, limit))
		return 0
	}
	return v
}

// take returns the next n bytes, which stay part of the body.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail(errShortBody)
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// end returns the first error; bytes left over are one.
func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail(fmt.Errorf("%d bytes are left over", len(d.rest)))
	}
	return d.err
}

// appendTime writes seconds since 1970, zigzag, and nanoseconds.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func (d *decoder) time() time.Time {
	zigzag := d.uvarint()
	sec := int64(zigzag>>1) ^ -int64(zigzag&1)
	nsec := d.upTo(999_999_999, "nanosecond")
	t := time.Unix(sec, int64(nsec)).UTC()
	if t.Unix() != sec {
		d.fail(fmt.Errorf("second %d is out of range", sec))
	}
	return t
}
