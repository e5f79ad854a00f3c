package httpnode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"dfsmount/node"
)

func (s *Server) ping(x *exchange, _ route, _ url.Values) error {
	return x.json(ping{serviceName, protocolVersion})
}

func (s *Server) volumes(x *exchange, _ route, _ url.Values) error {
	ids, err := s.host.Volumes(x.r.Context())
	if err != nil {
		return err
	}
	return x.json(volumes{append([]string{}, ids...)})
}

func (s *Server) put(x *exchange, to route, _ url.Values) error {
	size := x.r.ContentLength
	switch {
	case size < 0:
		return refuse(http.StatusLengthRequired, "Content-Length is needed")
	case size > s.o.MaxObject:
		return refuse(http.StatusRequestEntityTooLarge, "%d bytes are more than the %d this node takes", size, s.o.MaxObject)
	case x.r.Header.Get("If-None-Match") != "*":
		return refuse(http.StatusBadRequest, "If-None-Match: * is needed: objects are never replaced")
	}
	sum, err := parseDigest(x.r.Header.Get(headerDigest))
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if err := s.host.Volume(to.volume).Put(x.r.Context(), to.name, x, size, sum); err != nil {
		return err
	}
	x.send(http.StatusCreated, nil) // (H2)
	return nil
}

func (s *Server) head(x *exchange, to route, _ url.Values) error {
	info, err := s.host.Volume(to.volume).Stat(x.r.Context(), to.name)
	if err != nil {
		return err
	}
	x.w.Header().Set(headerDigest, formatDigest(info.Sum))
	x.w.Header().Set("Content-Length", strconv.FormatInt(info.Size, 10))
	x.head(http.StatusOK)
	return nil
}

func (s *Server) delete(x *exchange, to route, _ url.Values) error {
	if err := s.host.Volume(to.volume).Delete(x.r.Context(), to.name); err != nil {
		return err
	}
	x.head(http.StatusNoContent)
	return nil
}

func (s *Server) get(x *exchange, to route, _ url.Values) error {
	offset, length, ranged := int64(0), int64(-1), len(x.r.Header.Values("Range")) > 0
	if ranged {
		var err error
		if offset, length, err = parseRange(x.r.Header.Get("Range")); err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
	}
	n := s.host.Volume(to.volume)
	body, err := n.Get(x.r.Context(), to.name, offset, length)
	if err != nil {
		return err
	}
	defer body.Close()
	size, err := objectSize(x, n, to.name, body)
	if err != nil {
		return err
	}
	if ranged && offset >= size {
		x.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return refuse(http.StatusRequestedRangeNotSatisfiable, "the object has %d bytes", size)
	}
	if length < 0 || length > size-offset {
		length = size - offset
	}
	s.sendBody(x, body, offset, length, size, ranged)
	return nil
}

// objectSize asks the reader, or else the node, which may read the whole object to answer.
func objectSize(x *exchange, n node.Node, name string, body io.Reader) (int64, error) {
	if sizer, ok := body.(node.ObjectSizer); ok {
		return sizer.ObjectSize(), nil
	}
	info, err := n.Stat(x.r.Context(), name)
	return info.Size, err
}

// sendBody sends the answer to a GET. If body ends early, net/http sees that Content-Length is not met and cuts the connection, which is the
// only honest thing to say that late.
func (s *Server) sendBody(x *exchange, body io.Reader, offset, length, size int64, ranged bool) {
	status := http.StatusOK
	if ranged {
		status = http.StatusPartialContent
		x.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, offset+length-1, size))
	}
	x.w.Header().Set("Content-Type", "application/octet-stream")
	x.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	x.head(status)
	_, err := io.CopyBuffer(onlyWriter{x}, io.LimitReader(body, length), make([]byte, min(length+1, 64<<10)))
	if err != nil {
		s.o.Log.Warn("answer cut off", "path", x.r.URL.Path, "remote", x.r.RemoteAddr, "error", s.o.Identity.token.redact(err.Error()))
	}
}

func (s *Server) list(x *exchange, to route, query url.Values) error {
	limit := defaultLimit
	if query.Has("limit") {
		n, err := parseCount(query.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return refuse(http.StatusBadRequest, "limit is not a number from 1 to %d", maxLimit)
		}
		limit = int(n)
	}
	page, full := listing{Objects: []listed{}}, errors.New("page is full")
	err := s.host.Volume(to.volume).List(x.r.Context(), query.Get("prefix"), query.Get("after"), func(i node.Info) error {
		if len(page.Objects) == limit {
			page.More = true
			return full
		}
		page.Objects = append(page.Objects, listed{i.Name, i.Size})
		return nil
	})
	if err != nil && !errors.Is(err, full) {
		return err
	}
	return x.json(page)
}
