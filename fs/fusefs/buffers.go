package fusefs

import "sync"

// requestSlack is what a WRITE needs beyond its data: header and arguments, for which the kernel wants a page.
const requestSlack = 4096

// buffers recycles memory for requests and replies in two sizes.
type buffers struct {
	large, small sync.Pool
	size         int
}

func newBuffers(maxWrite int) *buffers {
	b := &buffers{size: maxWrite + requestSlack + smallReply}
	b.large.New = func() any { s := make([]byte, b.size); return &s }
	b.small.New = func() any { s := make([]byte, smallReply); return &s }
	return b
}

func (b *buffers) get(n int) *[]byte {
	switch {
	case n <= smallReply:
		return b.small.Get().(*[]byte)
	case n <= b.size:
		return b.large.Get().(*[]byte)
	}
	s := make([]byte, n)
	return &s
}

func (b *buffers) put(s *[]byte) {
	switch cap(*s) {
	case smallReply:
		b.small.Put(s)
	case b.size:
		b.large.Put(s)
	}
}
