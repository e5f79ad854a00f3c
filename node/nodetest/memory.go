package nodetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"dfsmount/node"
)

// Memory is a host in RAM. It does no I/O and starts no goroutine, so it works inside a testing/synctest bubble.
type Memory struct {
	mu      sync.Mutex
	volumes map[string]map[string][]byte // by id and name; the bytes are never changed in place
}

// NewMemory makes an empty host.
func NewMemory() *Memory { return &Memory{volumes: map[string]map[string][]byte{}} }

// Volumes implements node.Host.
func (m *Memory) Volumes(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, objects := range m.volumes {
		if len(objects) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Volume implements node.Host.
func (m *Memory) Volume(id string) node.Node { return &memoryVolume{m, id} }

// String implements node.Host.
func (m *Memory) String() string { return "memory:" }

// Close implements node.Host; the objects stay.
func (m *Memory) Close() error { return nil }

// Tamper replaces the bytes of an object by what fn makes of a copy of them, as a bad disk or a node that lies would; nil removes
// the object. An object that is not there is handed over as nil.
func (m *Memory) Tamper(volume, name string, fn func([]byte) []byte) {
	data := fn(slices.Clone(m.get(volume, name)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if data == nil {
		delete(m.volumes[volume], name)
		return
	}
	m.setLocked(volume, name, data)
}

func (m *Memory) get(volume, name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.volumes[volume][name]
}

func (m *Memory) setLocked(volume, name string, data []byte) {
	if m.volumes[volume] == nil {
		m.volumes[volume] = map[string][]byte{}
	}
	m.volumes[volume][name] = data
}

// create stores data if the name is free, else it returns what is there.
func (m *Memory) create(volume, name string, data []byte) (old []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.volumes[volume][name]; ok {
		return old
	}
	m.setLocked(volume, name, data)
	return nil
}

type memoryVolume struct {
	m  *Memory
	id string
}

func (v *memoryVolume) check(ctx context.Context, name string) error {
	if err := node.Check(v.id, name); err != nil {
		return err
	}
	return ctx.Err()
}

func (v *memoryVolume) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	if err := v.check(ctx, name); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	if err := v.put(ctx, name, body, size, sum); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

func (v *memoryVolume) put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	if size < 0 {
		return fmt.Errorf("size %d: %w", size, node.ErrPermanent)
	}
	if old := v.m.get(v.id, name); old != nil {
		return same(old, sum)
	}
	data, err := io.ReadAll(io.LimitReader(&contextReader{ctx, body}, size))
	if err != nil {
		return err
	}
	if int64(len(data)) < size {
		return fmt.Errorf("body ended after %d of %d bytes: %w", len(data), size, io.ErrUnexpectedEOF)
	}
	if sha256.Sum256(data) != sum {
		return node.ErrChecksum
	}
	return same(v.m.create(v.id, name, data), sum)
}

// same is what a Put answers when old is already there; nil says that nothing was.
func same(old []byte, sum node.Sum) error {
	if old != nil && sha256.Sum256(old) != sum {
		return node.ErrExists
	}
	return nil
}

func (v *memoryVolume) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := v.check(ctx, name); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if offset < 0 {
		return nil, fmt.Errorf("get %s: offset %d: %w", name, offset, node.ErrPermanent)
	}
	data := v.m.get(v.id, name)
	if data == nil {
		return nil, fmt.Errorf("get %s: %w", name, node.ErrNotExist)
	}
	part := data[min(offset, int64(len(data))):]
	if length >= 0 {
		part = part[:min(length, int64(len(part)))]
	}
	return &memoryReader{contextReader{ctx, bytes.NewReader(part)}, int64(len(data))}, nil
}

func (v *memoryVolume) Stat(ctx context.Context, name string) (node.Info, error) {
	if err := v.check(ctx, name); err != nil {
		return node.Info{}, fmt.Errorf("stat %s: %w", name, err)
	}
	data := v.m.get(v.id, name)
	if data == nil {
		return node.Info{}, fmt.Errorf("stat %s: %w", name, node.ErrNotExist)
	}
	return node.Info{Name: name, Size: int64(len(data)), Sum: sha256.Sum256(data)}, nil
}

func (v *memoryVolume) List(ctx context.Context, prefix, after string, fn func(node.Info) error) error {
	if err := v.check(ctx, "any"); err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	v.m.mu.Lock()
	objects := maps.Clone(v.m.volumes[v.id])
	v.m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if !strings.HasPrefix(name, prefix) || name <= after {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %q: %w", prefix, err)
		}
		if err := fn(node.Info{Name: name, Size: int64(len(objects[name]))}); err != nil {
			return err
		}
	}
	return nil
}

func (v *memoryVolume) Delete(ctx context.Context, name string) error {
	if err := v.check(ctx, name); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	delete(v.m.volumes[v.id], name)
	return nil
}

// contextReader fails once ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type memoryReader struct {
	contextReader
	size int64
}

func (r *memoryReader) Close() error      { return nil }
func (r *memoryReader) ObjectSize() int64 { return r.size }
