package exercise

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Random work on files under each way to mount.
func TestData(t *testing.T) {
	for name, with := range map[string][]string{"writeback": nil, "writethrough": {"writethrough"}, "fsync=nodes": {"fsync=nodes"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			episodes(t, "data-"+name, func(e *episode) {
				e.with = with
				newDataWork(e).run()
			})
		})
	}
}

const (
	dataWorkers    = 4
	filesPerWorker = 2   // two, to copy between
	dataSteps      = 250 // of a worker in a round
)

// dataWork is several workers, each with files of its own, on one mount.
type dataWork struct {
	*episode
	plain   string
	workers []*dataWorker
}

type dataWorker struct {
	work  *dataWork
	id    int
	rng   *rand.Rand
	files []*pair
}

func newDataWork(e *episode) *dataWork {
	d := &dataWork{episode: e, plain: e.world.Path("plain", "x")}
	d.plain = filepath.Dir(d.plain)
	for id := range dataWorkers {
		w := &dataWorker{work: d, id: id, rng: random(e.seed, uint64(1+id))}
		for i := range filesPerWorker {
			name := fmt.Sprintf("%d-%d", id, i)
			w.files = append(w.files, &pair{mount: filepath.Join(e.volume.Dir+".mnt", name), plain: filepath.Join(d.plain, name)})
		}
		d.workers = append(d.workers, w)
	}
	return d
}

func (d *dataWork) run() {
	d.up()
	d.all("open", (*pair).open)
	for range d.rounds {
		d.round()
		if d.t.Failed() {
			d.all("close", (*pair).close)
			d.t.FailNow()
		}
		i := d.next()
		if i == kill || i == killAndRemoveIndex {
			d.sync()
		}
		d.interrupt(i, func() { d.all("close", (*pair).close) })
		if i != nothing {
			d.all("open", (*pair).open)
			d.all("compare", (*pair).compare)
		}
	}
	d.all("compare", (*pair).compare)
	d.all("close", (*pair).close)
	d.finish(func(dir string) {
		d.all("compare the clone", func(p *pair) error {
			q := &pair{mount: filepath.Join(dir, filepath.Base(p.mount)), plain: p.plain}
			if err := q.open(); err != nil {
				return err
			}
			defer q.close()
			return q.compare()
		})
	})
}

// round lets all workers work.
func (d *dataWork) round() {
	var wg sync.WaitGroup
	for _, w := range d.workers {
		wg.Go(func() {
			for step := range dataSteps {
				if err := w.step(); err != nil {
					d.note("%d: FAILED: %v", w.id, err)
					d.t.Errorf("worker %d, step %d of this round: %v", w.id, step, err)
					return
				}
			}
		})
	}
	wg.Wait()
	d.ops += dataWorkers * dataSteps
}

// all does something with each file.
func (d *dataWork) all(what string, do func(*pair) error) {
	d.t.Helper()
	d.note("%s all", what)
	for _, w := range d.workers {
		for _, p := range w.files {
			if err := do(p); err != nil {
				d.note("%s %s: FAILED: %v", what, filepath.Base(p.plain), err)
				d.t.Errorf("%s %s: %v", what, p.mount, err)
			}
		}
	}
	if d.t.Failed() && what != "close" {
		d.all("close", (*pair).close)
		d.t.FailNow()
	}
}

// sync makes everything durable: by one command for all files, or file by file in one of the ways there are.
func (d *dataWork) sync() {
	d.t.Helper()
	switch d.rng.IntN(4) {
	case 0:
		d.note("dfsmount sync")
		d.mount.Sync()
	case 1:
		d.all("fsync", (*pair).sync)
	case 2:
		d.all("fdatasync", func(p *pair) error { return unix.Fdatasync(p.m) })
	case 3:
		d.all("msync", func(p *pair) error { return first(p.map1(), p.msync(unix.MS_SYNC)) })
	}
}
