package fusefs

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// reader reads requests while it has the turn.
type reader struct {
	*ownLoop
	in  *[]byte // the request being read; passes on with a WRITE that is handed off
	out *[]byte // replies to what it answers itself
}

func (l *ownLoop) newReader() *reader {
	return &reader{ownLoop: l, in: l.buffers.get(l.buffers.size), out: l.buffers.get(l.buffers.size)}
}

// run reads until the mount is gone or the turn is lost. It keeps a thread of its own: a thread that is awake is the point.
func (r *reader) run() {
	defer r.handlers.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { r.buffers.put(r.in); r.buffers.put(r.out) }()
	for {
		n, err := r.next()
		if err != nil {
			r.ended <- endOf(err)
			return
		}
		if n < requestHeader {
			r.log.Error("read a request", "err", "too short", "bytes", n)
			continue
		}
		if !r.handle(request((*r.in)[:n])) {
			return
		}
	}
}

// endOf: ENODEV is an unmount, ECONNABORTED an abort through the control filesystem; both are how mounts end.
func endOf(err error) error {
	if err == unix.ENODEV || err == unix.ECONNABORTED {
		return nil
	}
	return fmt.Errorf("read requests: %w", err)
}

// handle answers a request or hands it off. It tells whether the reader still has the turn.
func (r *reader) handle(req request) bool {
	op := req.opcode()
	if !r.pace.atOnce(req) {
		r.pass(req)
		return true
	}
	out := *r.out
	if n := req.replySize(); n > len(out) {
		out = make([]byte, n)
	}
	began := time.Now()
	v := r.turn.enter(op)
	r.answer(req, out)
	if !r.turn.leave(v) {
		return false
	}
	r.pace.took(op, time.Since(began))
	return true
}

// pass hands req off: a large one with the buffer it lies in, a small one as a copy.
func (r *reader) pass(req request) {
	if len(req) > smallReply {
		in := r.in
		r.in = r.buffers.get(r.buffers.size)
		r.handOff(req, in)
		return
	}
	in := r.buffers.get(len(req))
	r.handOff((*in)[:copy(*in, req)], in)
}

// next reads one request: at once if one is there, by polling if that is worth it, after sleeping otherwise.
func (r *reader) next() (int, error) {
	for {
		n, err := r.try()
		if err == unix.EAGAIN {
			n, err = r.poll()
		}
		if err == nil {
			return n, nil
		}
		if err == unix.EAGAIN {
			err = r.sleep()
		}
		if err != nil {
			return 0, err
		}
	}
}

// try reads if something is there. ENOENT means that a request was taken back while it was read.
func (r *reader) try() (int, error) {
	for {
		n, err := unix.Read(r.fd, *r.in)
		if err != unix.EINTR && err != unix.ENOENT {
			return n, err
		}
	}
}

// poll tries again and again for a while. EAGAIN: in vain, or not worth it.
func (r *reader) poll() (int, error) {
	began := r.since()
	if !r.polling.worth(began) {
		return 0, unix.EAGAIN
	}
	for last := began; ; {
		n, err := r.try()
		if err != unix.EAGAIN {
			r.polling.hit()
			return n, err
		}
		now := r.since()
		if now-last > descheduled {
			r.polling.busy(now)
		}
		if now-began > pollWindow {
			r.polling.miss(now - began)
			return 0, unix.EAGAIN
		}
		last = now
	}
}

// sleep waits for a request or the end of the mount; the next try tells which.
func (r *reader) sleep() error {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, -1)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for requests: %w", err)
	}
	return nil
}
