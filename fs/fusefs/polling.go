package fusefs

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	// pollWindow is how long a reader polls after a reply before it sleeps: an application's next request comes within it, if the
	// application goes on. 200 µs bring a little more, 20 µs a little less.
	pollWindow = 60 * time.Microsecond
	// pollGain is what a request that was met while polling saved: a sleeping thread's wake-up.
	pollGain = 20 * time.Microsecond
	// pollShare is the share of one CPU that polling in vain may take in the long run, one part in so many.
	pollShare = 50
	// pollBurst is how much polling in vain is put up with before it stops.
	pollBurst = 2 * time.Millisecond
	// descheduled is a pause between two polls that says that others want this CPU.
	descheduled = 150 * time.Microsecond
	// pollRest is how long polling stops then.
	pollRest = 100 * time.Millisecond
	// lookAround is how often a polling reader looks whether others want its CPU.
	lookAround = 20 * time.Millisecond
)

// polling decides whether a reader polls before it sleeps. It learns from what polling cost in vain and what it saved, so that an idle
// mount uses no CPU, a busy machine is left alone, and a stream of requests is met without a wake-up.
type polling struct {
	off     bool
	crowded func() bool   // more threads want to run than there are CPUs
	looked  time.Duration // when crowded was last called
	debt    time.Duration // polled in vain, less what was saved and what time forgave
	seen    time.Duration // when debt was last brought up to date
	restTil time.Duration
}

// newPolling: with one CPU the poller would keep it from the application it waits for.
func newPolling(off bool) *polling {
	return &polling{off: off || runtime.GOMAXPROCS(0) < 2 || runtime.NumCPU() < 2, crowded: crowded}
}

// worth tells whether to poll now. Times are since any fixed moment.
func (p *polling) worth(now time.Duration) bool {
	if p.off || now < p.restTil {
		return false
	}
	p.debt = max(0, p.debt-(now-p.seen)/pollShare)
	p.seen = now
	if p.debt >= pollBurst {
		return false
	}
	if now-p.looked < lookAround {
		return true
	}
	p.looked = now
	if p.crowded() {
		p.restTil = now + lookAround
	}
	return now >= p.restTil
}

func (p *polling) hit() { p.debt = max(0, p.debt-pollGain) }

func (p *polling) miss(spent time.Duration) { p.debt += spent }

// busy: the thread lost its CPU while it polled.
func (p *polling) busy(now time.Duration) { p.restTil = now + pollRest }

// crowded reads how many threads run or want to, this one included, from /proc/loadavg: "0.42 0.36 0.31 2/180 4711".
func crowded() bool {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	fields := bytes.Fields(b)
	if len(fields) < 4 {
		return false
	}
	running, _, _ := bytes.Cut(fields[3], []byte("/"))
	n, err := strconv.Atoi(string(running))
	return err == nil && n > runtime.NumCPU()
}
