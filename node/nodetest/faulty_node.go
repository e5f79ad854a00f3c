package nodetest

import (
	"context"
	"fmt"
	"io"

	"dfsmount/node"
)

// Put implements node.Node.
func (f *Faulty) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	r, err := f.meet(ctx, Put, name)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return r.after(f.node.Put(ctx, name, r.change(body, size), size, sum))
}

// Get implements node.Node.
func (f *Faulty) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r, err := f.meet(ctx, Get, name)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	body, err := f.node.Get(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	if err := r.after(nil); err != nil {
		body.Close()
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if r == nil {
		return &faultyReader{f, body, body}, nil
	}
	size, err := r.length(ctx, f.node, name, offset, length)
	if err != nil {
		body.Close()
		return nil, err
	}
	return &faultyReader{f, r.change(body, size), body}, nil
}

// Stat implements node.Node.
func (f *Faulty) Stat(ctx context.Context, name string) (node.Info, error) {
	r, err := f.meet(ctx, Stat, name)
	if err != nil {
		return node.Info{}, fmt.Errorf("stat %s: %w", name, err)
	}
	info, err := f.node.Stat(ctx, name)
	if err := r.after(err); err != nil {
		return node.Info{}, err
	}
	return info, nil
}

// List implements node.Node.
func (f *Faulty) List(ctx context.Context, prefix, after string, fn func(node.Info) error) error {
	r, err := f.meet(ctx, List, prefix)
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	return r.after(f.node.List(ctx, prefix, after, fn))
}

// Delete implements node.Node.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	r, err := f.meet(ctx, Delete, name)
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return r.after(f.node.Delete(ctx, name))
}

// change does to a body of size bytes what the fault says.
func (r *Fault) change(body io.Reader, size int64) io.Reader {
	switch {
	case r != nil && r.kind == truncate:
		return io.LimitReader(body, max(0, size-r.cut))
	case r != nil && r.kind == flipBit:
		return &flipReader{r: body}
	}
	return body
}

// length is the number of bytes a Get of that range returns.
func (r *Fault) length(ctx context.Context, n node.Node, name string, offset, length int64) (int64, error) {
	info, err := n.Stat(ctx, name)
	if err != nil {
		return 0, err
	}
	rest := max(0, info.Size-offset)
	if length < 0 {
		return rest, nil
	}
	return min(length, rest), nil
}

// flipReader changes one bit of the first byte.
type flipReader struct {
	r    io.Reader
	done bool
}

func (r *flipReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 && !r.done {
		p[0] ^= 0x10
		r.done = true
	}
	return n, err
}

// faultyReader is the body of a Get; a partition cuts it too.
type faultyReader struct {
	f *Faulty
	io.Reader
	io.Closer
}

func (r *faultyReader) Read(p []byte) (int, error) {
	r.f.mu.Lock()
	cut := r.f.partitioned
	if cut {
		r.f.partitions++
	}
	r.f.mu.Unlock()
	if cut {
		return 0, ErrPartition
	}
	return r.Reader.Read(p)
}
