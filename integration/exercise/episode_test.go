package exercise

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfsmount/integration/harness"
	"dfsmount/internal/testenv"
)

var (
	seedFlag = flag.Uint64("seed", 0, "do the episode of this seed only")
	duration = flag.Duration("duration", 0, "begin new episodes for so long; 0: one short one")
)

// shortSeed is that of the short episode, which every run of the tests does: a red one is then the doing of a change. What nobody met yet is looked
// for with seeds from the clock, by make soak.
const shortSeed = 1795628700020923823

// rounds of an episode: of the short one, and of any other. A short episode is the beginning of the long one with the same seed.
const (
	shortRounds = 6
	longRounds  = 40
)

// episodes runs one after the other until the time is up. Each has a world and a log of its own.
func episodes(t *testing.T, name string, run func(e *episode)) {
	testenv.NeedFUSE(t)
	begun, seed, rounds := time.Now(), *seedFlag, longRounds
	switch {
	case seed == 0 && *duration == 0:
		seed = shortSeed
	case seed == 0:
		seed = uint64(begun.UnixNano())
	}
	if *seedFlag == 0 && *duration == 0 {
		rounds = shortRounds
	}
	for ok := true; ok; seed++ {
		ok = t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			e := newEpisode(t, name, seed, rounds)
			run(e)
			t.Logf("%d rounds, %d operations, %d remounts, %d kills, in %.0f s", e.rounds, e.ops, e.remounts, e.kills, time.Since(e.begun).Seconds())
		})
		if *seedFlag != 0 || time.Since(begun) >= *duration {
			return
		}
	}
}

// episode is the work of one seed on one volume.
type episode struct {
	t      *testing.T
	name   string
	seed   uint64
	rounds int
	begun  time.Time
	rng    *rand.Rand // for what concerns all workers; each has one of its own
	log    *os.File

	world  *harness.World
	node   *harness.Node
	volume *harness.Volume
	mount  *harness.Mount
	with   []string // mount options

	ops, remounts, kills int
}

func newEpisode(t *testing.T, name string, seed uint64, rounds int) *episode {
	t.Helper()
	e := &episode{t: t, name: name, seed: seed, rounds: rounds, begun: time.Now(), rng: random(seed, 0)}
	e.openLog()
	e.world = harness.New(t)
	if err := os.Chmod(e.world.Dir, 0o755); err != nil { // some workers are other users
		t.Fatal(err)
	}
	e.node = e.world.Node("n1")
	e.volume = e.world.Init("v", 1, e.node.URL)
	return e
}

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// openLog begins the list of operations. It is written as they happen, not at the end: it shall tell what hung, too.
func (e *episode) openLog() {
	dir := filepath.Join("..", "..", "bin", "exercise")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		e.t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(dir, fmt.Sprintf("%s-%d.log", e.name, e.seed)))
	if err != nil {
		e.t.Fatal(err)
	}
	if e.log, err = os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o644); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		if e.t.Failed() {
			e.t.Logf("the last operations, all of them are in %s:\n%s", path, tail(e.log, 4000))
		} else if err := os.Remove(path); err != nil {
			e.t.Error(err)
		}
		e.log.Close()
	})
}

func tail(f *os.File, n int64) string {
	st, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	n = min(n, st.Size())
	b := make([]byte, n)
	if _, err := f.ReadAt(b, st.Size()-n); err != nil {
		return err.Error()
	}
	_, whole, _ := strings.Cut(string(b), "\n")
	return whole
}

// note adds a line to the log.
func (e *episode) note(format string, a ...any) {
	if _, err := fmt.Fprintf(e.log, format+"\n", a...); err != nil {
		panic(err)
	}
}

// up mounts the volume.
func (e *episode) up() {
	e.t.Helper()
	e.mount = e.volume.Mount(e.with...)
}

// interruption is what happens to the mount between two rounds.
type interruption int

const (
	nothing interruption = iota
	remount              // which drops all that the kernel and the process have in memory
	kill                 // after everything was synced
	killAndRemoveIndex
	interruptions
)

func (i interruption) String() string {
	return [...]string{"nothing", "unmount", "sync and kill", "sync, kill and remove the index"}[i]
}

// next says what comes after this round.
func (e *episode) next() interruption {
	i := interruption(e.rng.IntN(int(interruptions)))
	e.note("-- %v", i)
	return i
}

// interrupt does it. Nobody works meanwhile, and for a kill everything was synced; closed lets go of what is open, and is called
// before an unmount and after a kill.
func (e *episode) interrupt(i interruption, closed func()) {
	e.t.Helper()
	switch i {
	case remount:
		closed()
		e.mount.Unmount()
		e.remounts++
	case kill, killAndRemoveIndex:
		e.mount.Kill()
		closed()
		e.kills++
	}
	if i == killAndRemoveIndex {
		if err := os.Remove(filepath.Join(e.volume.Dir, "index.db")); err != nil {
			e.t.Fatal(err)
		}
	}
	if i != nothing {
		e.up()
	}
}

// finish checks the volume, and compares what a clone has: whatever same compares with the directory it is given.
func (e *episode) finish(same func(dir string)) {
	e.t.Helper()
	e.mount.Sync()
	e.mount.Unmount()
	e.volume.Check("--data")
	m := e.world.Clone("clone", e.node.URL).Mount(e.with...)
	same(m.Dir)
	m.Unmount()
}
