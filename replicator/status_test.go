package replicator

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"dfsmount/segment"
)

var update = flag.Bool("update", false, "write testdata/status.json anew")

// The JSON of the status is a documented interface: whoever changes it changes testdata/status.json and says so in the changelog.
func TestStatusJSON(t *testing.T) {
	inBubble(t, 4, 2, func(t *testing.T, g *rig) {
		g.set.Nodes[0].URL = "https://TOKEN@host:4711/#PIN"
		g.store.add(4)
		g.nodes[1].Partition(true)
		g.nodes[2].tamper(object(2), func([]byte) []byte { return []byte("other") })
		g.nodes[3].Partition(true)
		g.start()
		g.nodes[3].Partition(false)
		g.repl.Kick()
		g.after(time.Second)
		g.store.write(500)
		g.after(time.Second)
		st := g.repl.Status()
		for i := range st.Nodes {
			st.Nodes[i].NextTry = st.Nodes[i].NextTry.Truncate(time.Hour) // jitter
			if i == 1 {
				st.Nodes[i].LastErrorAt = st.Nodes[i].LastErrorAt.Truncate(time.Hour)
			}
		}
		got, err := json.MarshalIndent(st, "", "  ")
		must(t, err)
		if strings.Contains(string(got), "TOKEN") || strings.Contains(string(got), "PIN") {
			t.Errorf("a secret is in the status: %s", got)
		}
		compareGolden(t, "testdata/status.json", append(got, '\n'))
	})
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("the status is\n%s\nwant\n%s", got, want)
	}
}

func TestStatusIsCheap(t *testing.T) {
	inBubble(t, 3, 2, func(t *testing.T, g *rig) {
		r := newReplicator(g.store, testVolume, g.set, g.opts)
		segs := make([]sealedSegment, 200_000)
		for i := range segs {
			segs[i] = sealedSegment{number: segment.ID(i + 1), epoch: 1, size: 10, sealed: time.Now()}
		}
		r.hist.extend(segs)
		r.workers[0].acked.addSpan(span{1, 150_000})
		r.workers[1].acked.addSpan(span{1, 100_000})
		if n := testing.AllocsPerRun(10, func() { r.Status() }); n > 60 {
			t.Errorf("%v allocations", n)
		}
		if st := r.Status(); st.Unsafe != 1_000_000 || st.Nodes[1].BehindSegments != 100_000 || st.Nodes[2].Position != 0 {
			t.Errorf("status %+v", st)
		}
	})
}
