package fusefs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// requestSlack is what a WRITE needs beyond its data, for header and arguments (the kernel wants a page), and a READ's reply.
const requestSlack = 4096 + smallReply

// ownLoop serves with one reader at a time, which answers itself what is quick.
//
// A wake-up costs more than most operations: 8 µs on the same CPU, 40 to 110 µs on another that sleeps. The library's readers pay one for
// every request; here there is none while requests keep coming: the reader is awake (polling.go), and answers without passing the request on
// (pace.go). What it misjudges does not stop the mount (turn.go).
type ownLoop struct {
	fd      int
	proto   *fuse.ProtocolServer
	adapter *adapter
	log     *slog.Logger
	buffers sync.Pool // of *[]byte, each with room for the largest request or reply
	turn    *turn
	pace    pace
	polling *polling
	start   time.Time

	readers sync.WaitGroup
	ended   chan error // from the reader that saw the end

	device sync.RWMutex // held for reading by those that use fd without being readers
	closed bool

	mu    sync.Mutex
	reads map[uint64]struct{} // READs at work, by unique: what the end of the mount interrupts
}

func newOwnLoop(fd int, a *adapter, o Options) (loop, error) {
	size := o.maxWrite() + requestSlack
	l := &ownLoop{
		fd:      fd,
		proto:   fuse.NewProtocolServer(a, o.protocol()),
		adapter: a,
		log:     o.log(),
		buffers: sync.Pool{New: func() any { b := make([]byte, size); return &b }},
		turn:    newTurn(),
		polling: newPolling(o.NoPoll),
		start:   time.Now(),
		ended:   make(chan error, 1),
		reads:   map[uint64]struct{}{},
	}
	a.kernel = notifier{invalidate: l.invalidate, log: l.log}
	return l, nil
}

// init answers INIT, which the kernel has queued while mounting.
func (l *ownLoop) init() error {
	in := l.buffers.Get().(*[]byte)
	defer l.buffers.Put(in)
	n, err := unix.Read(l.fd, *in)
	if err != nil {
		return fmt.Errorf("read the first request: %w", err)
	}
	r := request((*in)[:n])
	if n < requestHeader || r.opcode() != opInit {
		return errors.New("the first request is not INIT")
	}
	l.answer(r, make([]byte, smallReply))
	if err := unix.SetNonblock(l.fd, true); err != nil {
		return fmt.Errorf("make the device non-blocking: %w", err)
	}
	return nil
}

func (l *ownLoop) serve() error {
	l.startReader()
	go l.turn.relieve(l.relief)
	err := <-l.ended
	l.turn.finish() // no reader is added any more
	l.interruptReads()
	l.readers.Wait()
	l.device.Lock()
	defer l.device.Unlock()
	l.closed = true
	unix.Close(l.fd)
	return err
}

// invalidate may be called at any time, also when the descriptor's number belongs to another file already.
func (l *ownLoop) invalidate(ino uint64, off int64) error {
	l.device.RLock()
	defer l.device.RUnlock()
	if l.closed {
		return unix.ENODEV
	}
	return l.write(invalidation(ino, off))
}

// relief is called when the reader is held up by a request: the turn is passed before its kind from now on, and another reader goes on.
func (l *ownLoop) relief(op uint32) {
	l.pace.took(op, tick)
	l.startReader()
}

func (l *ownLoop) since() time.Duration { return time.Since(l.start) }

// answer runs the operation and sends the reply, for which out has room.
func (l *ownLoop) answer(r request, out []byte) {
	if r.opcode() == opRead {
		l.readBegins(r.unique())
		defer l.readEnds(r.unique())
	}
	if r.opcode() == opSyncFS {
		l.send(r, errorReply(r.unique(), l.syncFS(r)))
		return
	}
	n, code := l.proto.HandleRequest([][]byte{r}, [][]byte{out})
	if !code.Ok() && !r.silent() { // the library could make no reply of it
		l.send(r, errorReply(r.unique(), fuse.EIO))
		return
	}
	if n > 0 {
		l.send(r, out[:n])
	}
}

func (l *ownLoop) syncFS(r request) (code fuse.Status) {
	defer func() {
		if v := recover(); v != nil {
			code = panicked(l.log, v)
		}
	}()
	return l.adapter.syncAll(r.node())
}

// send writes a reply, whole. ENOENT: the request was interrupted and nobody waits; ENODEV: the mount is gone. Anything else means that the
// kernel could make nothing of it, and since somebody waits, it gets EIO.
func (l *ownLoop) send(r request, reply []byte) {
	err := l.write(reply)
	if err == nil || err == unix.ENOENT || err == unix.ENODEV {
		return
	}
	l.log.Error("send a reply", "opcode", r.opcode(), "inode", r.node(), "bytes", len(reply), "err", err)
	l.write(errorReply(r.unique(), fuse.EIO))
}

func (l *ownLoop) write(reply []byte) error {
	for {
		_, err := unix.Write(l.fd, reply)
		if err != unix.EINTR {
			return err
		}
	}
}

func (l *ownLoop) readBegins(unique uint64) {
	l.mu.Lock()
	l.reads[unique] = struct{}{}
	l.mu.Unlock()
}

func (l *ownLoop) readEnds(unique uint64) {
	l.mu.Lock()
	delete(l.reads, unique)
	l.mu.Unlock()
}

// interruptReads lets reads that wait for a node end: nobody waits for them any more. One may have been read and not have begun, so we ask
// until there is none.
func (l *ownLoop) interruptReads() {
	for l.interruptEach() > 0 {
		time.Sleep(tick)
	}
}

// interruptEach interrupts the reads at work, which only the library knows how to find, and tells how many there were.
func (l *ownLoop) interruptEach() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]byte, smallReply)
	for unique := range l.reads {
		l.proto.HandleRequest([][]byte{interruptOf(unique)}, [][]byte{out})
	}
	return len(l.reads)
}
