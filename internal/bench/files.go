package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

func allGroups(z sizes) []group {
	return append(dataGroups(z), smallGroup(z), sqliteGroup(z), treeGroup())
}

func smallGroup(z sizes) group {
	return group{name: "small files", works: []work{
		{name: "create, write 1 KiB, fsync, close", unit: "files/s", do: each(z.files, createSynced)},
		{name: "create, empty", unit: "files/s", do: each(2*z.files, createEmpty)},
		{name: "stat, cold", unit: "files/s", cold: true, do: each(2*z.files, stat)},
		{name: "rename", unit: "files/s", do: each(2*z.files, rename)},
		{name: "unlink", unit: "files/s", do: each(2*z.files, unlink)},
	}}
}

// each does something to n files.
func each(n int, do func(e *env, i int) error) func(e *env) (float64, error) {
	return func(e *env) (float64, error) {
		for i := range n {
			if err := errors.Join(e.ctx.Err(), do(e, i)); err != nil {
				return 0, err
			}
		}
		return float64(n), nil
	}
}

func createSynced(e *env, i int) error {
	f, err := create(e.path(fmt.Sprintf("synced-%06d", i)))
	if err != nil {
		return err
	}
	if err := f.write(noise[i*8:][:1024], 0); err != nil {
		return errors.Join(err, f.close())
	}
	return errors.Join(f.sync(), f.close())
}

func createEmpty(e *env, i int) error {
	f, err := create(e.path(fmt.Sprintf("empty-%06d", i)))
	if err != nil {
		return err
	}
	return f.close()
}

func stat(e *env, i int) error {
	var st unix.Stat_t
	_, err := retry(func() (int, error) { return 0, unix.Lstat(e.path(fmt.Sprintf("empty-%06d", i)), &st) })
	return err
}

func rename(e *env, i int) error {
	_, err := retry(func() (int, error) {
		return 0, unix.Rename(e.path(fmt.Sprintf("empty-%06d", i)), e.path(fmt.Sprintf("renamed-%06d", i)))
	})
	return err
}

func unlink(e *env, i int) error {
	_, err := retry(func() (int, error) { return 0, unix.Unlink(e.path(fmt.Sprintf("renamed-%06d", i))) })
	return err
}

// sqliteGroup commits row by row, as durable as SQLite can: what desktop programs do all day.
func sqliteGroup(z sizes) group {
	return group{name: "sqlite", needs: "sqlite3", works: []work{
		{name: "SQLite commits, journal", unit: "op/s", do: sqlite("journal.db", "DELETE", z.commits)},
		{name: "SQLite commits, WAL, synchronous=full", unit: "op/s", do: sqlite("wal.db", "WAL", z.commits)},
	}}
}

func sqlite(name, journal string, n int) func(e *env) (float64, error) {
	script := "PRAGMA journal_mode=" + journal + "; PRAGMA synchronous=FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\n" +
		strings.Repeat("INSERT INTO t(b) VALUES(hex(randomblob(100)));\n", n) + "SELECT 'rows', count(*) FROM t;\n"
	return func(e *env) (float64, error) {
		cmd := exec.CommandContext(e.ctx, "sqlite3", "-bail", e.path(name))
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		if want := fmt.Sprintf("rows|%d", n); err == nil && !strings.Contains(string(out), want) {
			err = errors.New("rows are missing")
		}
		if err != nil {
			return 0, fmt.Errorf("sqlite3: %w\n%s", err, tail(out))
		}
		return float64(n), nil
	}
}

func have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// command runs a program on the working directory, its output thrown away.
func command(e *env, name string, args ...string) error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	var said strings.Builder
	cmd := exec.CommandContext(e.ctx, name, args...)
	cmd.Dir = e.root
	cmd.Stdout, cmd.Stderr = null, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, tail([]byte(said.String())))
	}
	return nil
}
