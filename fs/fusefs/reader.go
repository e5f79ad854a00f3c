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
	in  *[]byte // the request
	out *[]byte // its reply
}

// startReader lets another reader have the turn.
func (l *ownLoop) startReader() {
	l.readers.Go(func() { (&reader{ownLoop: l}).run() })
}

// run reads until the mount is gone or the turn is. It keeps a thread of its own: a thread that is awake is the point.
func (r *reader) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.in, r.out = r.buffers.Get().(*[]byte), r.buffers.Get().(*[]byte)
	defer func() { r.buffers.Put(r.in); r.buffers.Put(r.out) }()
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

// handle answers a request, and tells whether the reader still has the turn. Before one that may wait it passes the turn on: the other reader's
// thread wakes up while this one is at work already.
func (r *reader) handle(req request) bool {
	op := req.opcode()
	if !r.pace.atOnce(req) {
		r.startReader()
		r.answer(req, r.room(req))
		return false
	}
	began := time.Now()
	v := r.turn.enter(op)
	r.answer(req, r.room(req))
	if !r.turn.leave(v) {
		return false
	}
	r.pace.took(op, time.Since(began))
	return true
}

// room is where the reply to req is made.
func (r *reader) room(req request) []byte {
	if n := req.replySize(); n > len(*r.out) {
		return make([]byte, n)
	}
	return *r.out
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
