package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// target is something that offers a directory. A plain one is a directory itself; the others are made and mounted by shell
// commands that see $STATE (a directory of their own on the measured disk), $DIR (where to mount) and $PASS (a file with a passphrase).
type target struct {
	name                string
	plain               string // parent directory; empty: the scratch directory
	init, mount, umount string // all empty for a plain directory
	onlyIfNamed         bool
}

const plainUmount = `fusermount3 -u "$DIR" 2>/dev/null || umount "$DIR"`

// installed lists the targets this machine has. Programs are looked for in bin, where make puts them, then in PATH.
func installed() []target {
	all := []target{{name: diskName()}}
	add := func(program string, targets func(path string) []target) {
		path, err := filepath.Abs(filepath.Join("bin", program))
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			path, err = exec.LookPath(program)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is not installed and left out\n", program)
			return
		}
		all = append(all, targets(path)...)
	}
	add("loopback", func(path string) []target {
		return []target{{name: "loopback", init: `mkdir "$STATE/d"`, umount: plainUmount, mount: path + ` "$DIR" "$STATE/d" &`}}
	})
	add("gocryptfs", func(path string) []target {
		return []target{{name: "gocryptfs", umount: plainUmount,
			init:  `mkdir "$STATE/d" && ` + path + ` -init -q -passfile "$PASS" "$STATE/d"`,
			mount: path + ` -q -passfile "$PASS" "$STATE/d" "$DIR"`}}
	})
	add("dfsmount", func(path string) []target {
		t := target{name: "dfsmount", umount: path + ` umount "$DIR"`,
			init:  path + ` init "$STATE/v" --passphrase-file "$PASS"`,
			mount: path + ` mount "$STATE/v" "$DIR" --passphrase-file "$PASS"`}
		n := t
		n.name, n.onlyIfNamed = "dfsmount+node", true
		n.init = path + ` init "$STATE/v" --node "dir:$STATE/n" --passphrase-file "$PASS"`
		return []target{t, n}
	})
	return all
}

func diskName() string { return "disk" }

func parseTarget(s string) (target, error) {
	f := strings.Split(s, "::")
	if f[0] == "" || (len(f) != 2 && len(f) != 4) {
		return target{}, errors.New("not NAME::DIRECTORY or NAME::INIT::MOUNT::UMOUNT")
	}
	if len(f) == 2 {
		return target{name: f[0], plain: f[1]}, nil
	}
	return target{name: f[0], init: f[1], mount: f[2], umount: f[3]}, nil
}

// site is a target made on this machine.
type site struct {
	target
	state, dir, pass string
	log              *os.File // what its commands print
}

func newSite(t target, scratch string) (*site, error) {
	s := &site{target: t, state: filepath.Join(scratch, t.name), pass: filepath.Join(scratch, "passphrase")}
	s.dir = filepath.Join(s.state, "mnt")
	if t.plain != "" {
		dir, err := os.MkdirTemp(t.plain, "dfsbench")
		s.dir = dir
		return s, err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(scratch, t.name+".log"))
	s.log = log
	return s, err
}

// root is where the work is done. A level below the mount point: what is there goes when the group is done.
func (s *site) root() string { return filepath.Join(s.dir, "work") }

func (s *site) sh(ctx context.Context, script string) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "STATE="+s.state, "DIR="+s.dir, "PASS="+s.pass)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = s.log, s.log // files: a server left in the background holds no pipe of ours
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(s.log.Name())
		return fmt.Errorf("%s: %s: %w\n%s", s.name, script, err, tail(said))
	}
	return nil
}

func tail(b []byte) []byte {
	const most = 1000
	return b[max(0, len(b)-most):]
}

func (s *site) make(ctx context.Context) error {
	if s.init == "" {
		return nil
	}
	return s.sh(ctx, s.init)
}

// patience is how long a mount may take to come up or to become free.
const patience = time.Minute

func (s *site) up(ctx context.Context) error {
	if s.mount == "" {
		return nil
	}
	if err := s.sh(ctx, s.mount); err != nil {
		return err
	}
	return await(ctx, s.name+" is not mounted", func() bool { return mounted(s.dir) })
}

// down unmounts whatever happened before; it is the one step an interrupted run still takes.
func (s *site) down() error {
	if s.mount == "" || !mounted(s.dir) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	waitErr := await(ctx, s.name+" stays mounted", func() bool {
		if err = s.sh(ctx, s.umount); err != nil {
			return false // busy, for a moment
		}
		return !mounted(s.dir)
	})
	if waitErr != nil {
		return errors.Join(waitErr, err, exec.Command("umount", "-l", s.dir).Run())
	}
	return nil
}

// cold makes sure that nothing of the target is in memory.
func (s *site) cold(ctx context.Context) error {
	if err := s.down(); err != nil {
		return err
	}
	if err := dropCaches(); err != nil {
		return err
	}
	return s.up(ctx)
}

// await asks until it is so.
func await(ctx context.Context, otherwise string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", otherwise, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// mounted looks dir up in the kernel's list, without touching it.
func mounted(dir string) bool {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if w := strings.Fields(lines.Text()); len(w) > 1 && strings.ReplaceAll(w[1], `\040`, " ") == dir {
			return true
		}
	}
	return false
}
