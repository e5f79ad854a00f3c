package fusefs

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnRelievesASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := newTurn()
		relieved := make(chan uint32, 10)
		go turn.relieve(func(op uint32) { relieved <- op })
		defer turn.finish()

		slow := turn.enter(opRead)
		began := time.Now()
		if op := <-relieved; op != opRead {
			t.Errorf("relieved opcode %d, want READ", op)
		}
		if d := time.Since(began); d > 2*tick {
			t.Errorf("relieved after %v, want %v at most", d, 2*tick)
		}
		next := turn.enter(opWrite) // the new reader
		if turn.leave(slow) {
			t.Error("the relieved reader still has the turn")
		}
		if !turn.leave(next) {
			t.Error("the new reader lost its turn")
		}
	})
}

func TestTurnLeavesQuickReadersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := newTurn()
		go turn.relieve(func(uint32) { t.Error("relieved a quick reader") })
		defer turn.finish()
		for range 1000 {
			v := turn.enter(opRead)
			time.Sleep(tick / 10)
			if !turn.leave(v) {
				t.Fatal("lost the turn")
			}
		}
	})
}

// TestTurnWakesARestingRelief: after a pause nobody looks any more, and a slow request must still be noticed.
func TestTurnWakesARestingRelief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := newTurn()
		relieved := make(chan uint32, 10)
		go turn.relieve(func(op uint32) { relieved <- op })
		defer turn.finish()
		for range 3 {
			turn.leave(turn.enter(opRead))
			time.Sleep(100 * tick)
			if turn.watched.Load() {
				t.Fatal("the relief keeps looking at an idle mount")
			}
			turn.enter(opRead)
			<-relieved
		}
	})
}
