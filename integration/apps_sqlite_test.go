package integration

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SQLite while the mount's process or sqlite3 itself is killed, in each journal mode: every commit it acknowledged is there, whole and in
// order, and its own check finds nothing.
func TestAppSQLiteUnderKill(t *testing.T) {
	const rounds = 6
	for _, journal := range []string{"DELETE", "TRUNCATE", "WAL"} {
		t.Run(journal, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			d := &database{app: newApp(t, []string{"sqlite3"}), journal: journal, rng: rand.New(rand.NewPCG(seed, 0))}
			d.query("PRAGMA journal_mode=" + journal + "; CREATE TABLE t(n INTEGER PRIMARY KEY, v BLOB, sum INTEGER); CREATE INDEX i ON t(sum, v);")
			for round := range rounds {
				d.round(round%3 != 0)
				d.verify()
				if t.Failed() {
					t.FailNow()
				}
			}
			if d.acknowledged < rounds {
				t.Errorf("%d commits in %d rounds", d.acknowledged, rounds)
			}
			t.Logf("%d commits acknowledged in %d rounds, %d there, %d kills of the mount", d.acknowledged, rounds, d.there, d.kills)
			d.remount()
			d.verify()
			d.finish()
		})
	}
}

// database is a table of rows numbered from 1, and how many of them were acknowledged.
type database struct {
	*app
	journal      string // the mode
	rng          *rand.Rand
	acknowledged int // the last one
	there        int // the last one that was found
	kills        int
}

// query runs SQL to its end.
func (d *database) query(sql string) string {
	d.t.Helper()
	return d.must(d.m.Dir, "sqlite3", "-batch", "-bail", d.on("db"), sql)
}

// round commits rows until something is killed: the mount's process, or sqlite3.
func (d *database) round(killMount bool) {
	d.t.Helper()
	cmd := d.command("/", "sqlite3", "-batch", "-bail", d.on("db"))
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	enough := make(chan struct{})
	goal := d.there + 1 + d.rng.IntN(60)
	go d.feed(in)
	killed := make(chan struct{})
	go d.killAfter(cmd, killMount, enough, killed)
	reached := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			continue
		}
		d.acknowledged = max(d.acknowledged, d.believed(n, killMount))
		if n >= goal && !reached {
			reached = true
			close(enough)
		}
	}
	if !reached {
		close(enough)
		d.t.Errorf("sqlite3 ended by itself after commit %d: %s", d.acknowledged, errs.String())
	}
	<-killed
	_ = cmd.Wait()
	if killMount {
		d.kills++
		d.m = d.v.Mount(d.with...)
	}
}

// believed is what an acknowledgement of row n says. With journal_mode=DELETE a commit is the removal of the journal, and then SQLite syncs the
// directory; but if it cannot even open that (os_unix.c, unixDelete), it says that the commit is done. So of a mount that dies there the last word
// does not count.
func (d *database) believed(n int, killMount bool) int {
	if killMount && d.journal == "DELETE" {
		return n - 1
	}
	return n
}

// killAfter kills once enough was done, at a moment that nobody chose.
func (d *database) killAfter(cmd *exec.Cmd, killMount bool, enough <-chan struct{}, killed chan<- struct{}) {
	defer close(killed)
	<-enough
	<-time.After(time.Duration(time.Now().UnixNano()%20) * time.Millisecond) // the kill may come at any moment: that is the test
	if killMount {
		d.m.Kill()
	}
	_ = cmd.Process.Kill()
}

// feed writes one transaction after the other, and has each acknowledged by its number. With a rollback journal a commit is the journal's removal, which
// SQLite makes durable under synchronous=EXTRA only.
func (d *database) feed(in io.WriteCloser) {
	defer in.Close()
	next := d.there + 1
	if _, err := fmt.Fprintf(in, ".timeout 10000\nPRAGMA synchronous=EXTRA;\nPRAGMA journal_mode=%s;\n", d.journal); err != nil {
		return
	}
	for ; ; next++ {
		// Some rows are large, and some change older ones.
		_, err := fmt.Fprintf(in, "BEGIN; INSERT INTO t VALUES(%d, randomblob(%d), NULL); UPDATE t SET sum=length(v)+n WHERE n=%d OR n=%d; COMMIT; SELECT %d;\n",
			next, 10+(next%7)*900, next, next/2, next)
		if err != nil {
			return
		}
	}
}

// verify has SQLite check the database, and looks for what was acknowledged.
func (d *database) verify() {
	d.t.Helper()
	if s := d.query("PRAGMA integrity_check"); s != "ok" {
		d.t.Errorf("integrity_check: %s", s)
	}
	fields := strings.Split(d.query("SELECT count(*), max(n), sum(sum IS NOT length(v)+n), sum(length(v) IS NOT 10+(n%7)*900) FROM t"), "|")
	d.there, _ = strconv.Atoi(fields[0])
	if want := fmt.Sprintf("%d|%d|0|0", d.there, d.there); strings.Join(fields, "|") != want {
		d.t.Errorf("rows, last row, rows with a wrong sum, and of a wrong size: %s, want %s", strings.Join(fields, "|"), want)
	}
	if d.there < d.acknowledged {
		d.t.Errorf("%d commits are there, %d were acknowledged", d.there, d.acknowledged)
	}
}
