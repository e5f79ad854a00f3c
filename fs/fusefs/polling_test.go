package fusefs

import (
	"testing"
	"time"
)

func TestPollingPaysOrStops(t *testing.T) {
	p := &polling{crowded: func() bool { return false }}
	now := time.Duration(0)
	for range 1000 { // each request within the window
		now += 30 * time.Microsecond
		if !p.worth(now) {
			t.Fatal("stopped polling although every poll met a request")
		}
		p.hit()
	}
	var spent time.Duration
	began := now
	for range 10000 { // a request each millisecond, never within the window
		now += time.Millisecond
		if p.worth(now) {
			p.miss(pollWindow)
			spent += pollWindow
		}
	}
	if most := (now-began)/pollShare + pollBurst + pollWindow; spent > most {
		t.Errorf("polled in vain for %v of %v, at most %v allowed", spent, now-began, most)
	}
	if spent == 0 {
		t.Error("never tried again whether polling pays")
	}
}

func TestPollingRestsOnABusyMachine(t *testing.T) {
	p := &polling{crowded: func() bool { return false }}
	p.busy(time.Second)
	if p.worth(time.Second + pollRest - 1) {
		t.Error("polls although others want the CPU")
	}
	if !p.worth(time.Second + pollRest) {
		t.Error("never polls again")
	}
}

func TestPollingLooksAround(t *testing.T) {
	others := true
	p := &polling{crowded: func() bool { return others }}
	now := time.Second
	for range 100 {
		if p.worth(now) {
			t.Fatal("polls although more threads want to run than there are CPUs")
		}
		now += lookAround / 10
	}
	others = false
	if !p.worth(now + lookAround) {
		t.Error("does not poll although the others have gone")
	}
}

func TestPollingOff(t *testing.T) {
	if newPolling(true).worth(time.Hour) {
		t.Error("polls although switched off")
	}
}

func TestPacePassesTheTurnBeforeWhatWasSlow(t *testing.T) {
	var p pace
	lookup := make(request, requestHeader)
	lookup[4] = 1
	if !p.atOnce(lookup) {
		t.Fatal("the turn is passed before a look-up although none was slow")
	}
	p.took(1, quick)
	for i := range passMin {
		if p.atOnce(lookup) {
			t.Fatalf("the turn is kept for request %d after a slow one", i)
		}
	}
	if !p.atOnce(lookup) {
		t.Fatal("it is never tried again")
	}
	p.took(1, quick)
	if p[1].left != 2*passMin {
		t.Errorf("slow again: the turn is passed before %d, want %d", p[1].left, 2*passMin)
	}
	fsync := make(request, requestHeader)
	fsync[4] = opFsync
	if p.atOnce(fsync) {
		t.Error("the turn is kept for an fsync")
	}
}
