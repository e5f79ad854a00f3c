package httpnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"dfsmount/node"
)

// volume is one volume of the node.
type volume struct {
	c  *Client
	id string
}

func (v *volume) path(name string) string { return objectsPath(v.id) + "/" + name }

func (v *volume) check(ctx context.Context, name string) error {
	if err := node.Check(v.id, name); err != nil {
		return err
	}
	return ctx.Err()
}

// Put implements node.Node.
func (v *volume) Put(ctx context.Context, name string, body io.Reader, size int64, sum node.Sum) error {
	err := v.check(ctx, name)
	if err == nil && size < 0 {
		err = fmt.Errorf("size %d: %w", size, node.ErrPermanent)
	}
	if err == nil {
		err = v.put(ctx, name, newLentBody(body, size), sum)
	}
	if err != nil {
		return v.c.wrap("put "+name, err)
	}
	return nil
}

func (v *volume) put(ctx context.Context, name string, body *lentBody, sum node.Sum) error {
	header := http.Header{}
	header.Set("If-None-Match", "*")
	header.Set(headerDigest, formatDigest(sum))
	a, err := v.c.do(ctx, request{method: http.MethodPut, path: v.path(name), header: header, body: body, expect: http.StatusCreated})
	broken := body.revoke()
	if err == nil {
		return a.Close()
	}
	if broken != nil && ctx.Err() == nil {
		return broken // why the connection failed
	}
	return err
}

// Get implements node.Node.
func (v *volume) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	err := v.check(ctx, name)
	if err == nil && offset < 0 {
		err = fmt.Errorf("offset %d: %w", offset, node.ErrPermanent)
	}
	var r io.ReadCloser
	if err == nil {
		r, err = v.get(ctx, name, offset, length)
	}
	if err != nil {
		return nil, v.c.wrap("get "+name, err)
	}
	return r, nil
}

func (v *volume) get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	q := request{method: http.MethodGet, path: v.path(name)}
	asked := length
	if offset > 0 || length >= 0 {
		if asked == 0 {
			asked = 1 // no range is empty, and whether the object exists must be told
		}
		q.header = http.Header{"Range": {formatRange(offset, asked)}}
		q.expect = http.StatusPartialContent
	}
	a, err := v.c.do(ctx, q)
	if no, ok := errors.AsType[*beyondError](err); ok {
		return &rangeReader{ctx: ctx, size: no.size}, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := newRangeReader(ctx, a, offset, asked)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if length == 0 {
		return &rangeReader{ctx: ctx, size: r.size}, a.Close()
	}
	return r, nil
}

// Stat implements node.Node.
func (v *volume) Stat(ctx context.Context, name string) (node.Info, error) {
	info, err := v.stat(ctx, name)
	if err != nil {
		return node.Info{}, v.c.wrap("stat "+name, err)
	}
	return info, nil
}

func (v *volume) stat(ctx context.Context, name string) (node.Info, error) {
	if err := v.check(ctx, name); err != nil {
		return node.Info{}, err
	}
	a, err := v.c.do(ctx, request{method: http.MethodHead, path: v.path(name)})
	if err != nil {
		return node.Info{}, err
	}
	defer a.Close()
	sum, err := parseDigest(a.Header.Get(headerDigest))
	if err != nil || a.ContentLength < 0 {
		return node.Info{}, errors.Join(errors.New("the answer has no size or no digest"), err)
	}
	return node.Info{Name: name, Size: a.ContentLength, Sum: sum}, nil
}

// List implements node.Node, page by page.
func (v *volume) List(ctx context.Context, prefix, after string, fn func(node.Info) error) error {
	for more := true; more; {
		page, err := v.page(ctx, prefix, after)
		if err != nil {
			return v.c.wrap("list "+strconv.Quote(prefix), err)
		}
		for _, o := range page.Objects {
			if err := fn(node.Info{Name: o.Name, Size: o.Size}); err != nil {
				return err
			}
			after = o.Name
		}
		more = page.More
	}
	return nil
}

func (v *volume) page(ctx context.Context, prefix, after string) (listing, error) {
	if err := v.check(ctx, "any"); err != nil {
		return listing{}, err
	}
	query := url.Values{"limit": {strconv.Itoa(maxLimit)}}
	for name, value := range map[string]string{"prefix": prefix, "after": after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	a, err := v.c.do(ctx, request{method: http.MethodGet, path: objectsPath(v.id), query: query})
	if err != nil {
		return listing{}, err
	}
	defer a.Close()
	page, err := decodeListing(a.limited(), prefix, after)
	if err != nil {
		return listing{}, fmt.Errorf("understand the answer: %w", err)
	}
	return page, nil
}

// Delete implements node.Node.
func (v *volume) Delete(ctx context.Context, name string) error {
	err := v.check(ctx, name)
	if err == nil {
		err = v.delete(ctx, name)
	}
	if err != nil {
		return v.c.wrap("delete "+name, err)
	}
	return nil
}

func (v *volume) delete(ctx context.Context, name string) error {
	a, err := v.c.do(ctx, request{method: http.MethodDelete, path: v.path(name), expect: http.StatusNoContent})
	if err != nil {
		return err
	}
	return a.Close()
}
