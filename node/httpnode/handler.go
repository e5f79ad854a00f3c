package httpnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dfsmount/node"
)

// refusal is an answer that is no success.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, a ...any) error {
	return &refusal{status, fmt.Sprintf(format, a...)}
}

// route is a request's path taken apart.
type route struct {
	path   string // of the fixed ones; pathVolumes + "/VOL/objects" becomes partObjects
	volume string
	name   string // "" for the listing
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, control: http.NewResponseController(w), stall: s.o.Stall}
	if err := s.serve(x); err != nil {
		s.fail(x, err)
	}
}

// serve answers, or returns why not, if nothing was sent yet.
func (s *Server) serve(x *exchange) error {
	if err := s.authenticate(x.r); err != nil { // first of all (H1)
		return err
	}
	to, err := parseRoute(x.r.URL, x.r.RequestURI)
	if err != nil {
		return err
	}
	query, err := parseQuery(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	handle, params := s.find(x.r.Method, to)
	if handle == nil {
		return refuse(http.StatusMethodNotAllowed, "no %s here", x.r.Method)
	}
	for name := range query {
		if !slices.Contains(params, name) {
			return refuse(http.StatusBadRequest, "unknown parameter %q", name)
		}
	}
	return handle(x, to, query)
}

// handler answers one kind of request, under the rule of serve.
type handler func(x *exchange, to route, query url.Values) error

// find is the protocol's table of requests, with the parameters each takes.
func (s *Server) find(method string, to route) (handler, []string) {
	object := to.path == partObjects && to.name != ""
	switch {
	case to.path == pathPing && method == http.MethodGet:
		return s.ping, nil
	case to.path == pathVolumes && method == http.MethodGet:
		return s.volumes, nil
	case to.path == partObjects && !object && method == http.MethodGet:
		return s.list, []string{"prefix", "after", "limit"}
	case object && method == http.MethodGet:
		return s.get, nil
	case object && method == http.MethodHead:
		return s.head, nil
	case object && method == http.MethodPut:
		return s.put, nil
	case object && method == http.MethodDelete:
		return s.delete, nil
	}
	return nil, nil
}

func (s *Server) authenticate(r *http.Request) error {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return refuse(http.StatusUnauthorized, "one Authorization is needed")
	}
	text, ok := strings.CutPrefix(values[0], "Bearer ")
	if !s.o.Identity.token.matches(text) || !ok {
		return refuse(http.StatusUnauthorized, "not this node's token")
	}
	return nil
}

// parseRoute takes a path as it was sent: one that needed decoding or cleaning is none of ours.
func parseRoute(u *url.URL, sent string) (route, error) {
	unknown := refuse(http.StatusBadRequest, "no such thing in version %d of the protocol", protocolVersion)
	path, _, _ := strings.Cut(sent, "?")
	if path != u.Path || u.Fragment != "" {
		return route{}, unknown
	}
	if path == pathPing || path == pathVolumes {
		return route{path: path}, nil
	}
	rest, ok := strings.CutPrefix(path, pathVolumes+"/")
	volume, rest, _ := strings.Cut(rest, "/")
	objects, name, named := strings.Cut(rest, "/")
	if !ok || objects != partObjects {
		return route{}, unknown
	}
	if !node.ValidVolume(volume) {
		return route{}, refuse(http.StatusBadRequest, "not a volume id")
	}
	if named && !node.ValidName(name) {
		return route{}, refuse(http.StatusBadRequest, "not an object name")
	}
	return route{partObjects, volume, name}, nil
}

// parseQuery refuses a parameter given twice: which one counts would be anybody's guess.
func parseQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "not a query")
	}
	for name, values := range query {
		if len(values) != 1 {
			return nil, refuse(http.StatusBadRequest, "parameter %q is given twice", name)
		}
	}
	return query, nil
}

// fail sends a refusal and logs it: never a header, and the token in no part of it (H3).
func (s *Server) fail(x *exchange, err error) {
	no := refusalOf(err)
	var pause node.RetryAfter
	if errors.As(err, &pause) && no.status == http.StatusServiceUnavailable {
		x.w.Header().Set("Retry-After", strconv.FormatInt(int64((pause.RetryAfter()+time.Second-1)/time.Second), 10))
	}
	reason := s.o.Identity.token.redact(no.reason)
	if no.status != http.StatusNotFound && no.status != http.StatusPreconditionFailed && no.status != http.StatusRequestedRangeNotSatisfiable {
		s.o.Log.Warn("request refused", "status", no.status, "reason", reason, "method", s.o.Identity.token.redact(x.r.Method),
			"path", s.o.Identity.token.redact(x.r.URL.Path), "remote", x.r.RemoteAddr)
	}
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.send(no.status, []byte(reason+"\n"))
}

// refusalOf is the table from errors of the contract to statuses; its inverse is in status.go.
func refusalOf(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	var pause node.RetryAfter
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &pause):
		status = http.StatusServiceUnavailable
	case errors.Is(err, node.ErrNotExist):
		status = http.StatusNotFound
	case errors.Is(err, node.ErrExists):
		status = http.StatusPreconditionFailed
	case errors.Is(err, node.ErrChecksum):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, node.ErrFull):
		status = http.StatusInsufficientStorage
	case errors.Is(err, node.ErrPermanent):
		status = http.StatusConflict
	case errors.Is(err, errStalled):
		status = http.StatusRequestTimeout
	}
	return &refusal{status, err.Error()}
}

// json sends v.
func (x *exchange) json(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.send(http.StatusOK, append(data, '\n'))
	return nil
}
