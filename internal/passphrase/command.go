package passphrase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// lingering is how long a process that the command left behind may hold its output open.
const lingering = 5 * time.Second

// fromCommand runs command by the shell and takes the first line it prints. It shares our terminal, standard input and standard
// error, so it can ask for what it needs and tell what is wrong.
func fromCommand(ctx context.Context, command string) ([]byte, error) {
	var out firstBytes
	defer func() { clear(out.b) }()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, os.Stderr
	cmd.WaitDelay = lingering
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("run passphrase command: %w", ctx.Err())
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
			return nil, fmt.Errorf("run passphrase command: it ended with exit code %d", exit.ExitCode())
		}
		return nil, fmt.Errorf("run passphrase command: %w", err)
	}
	line, err := readLine(bytes.NewReader(out.b))
	if err != nil {
		return nil, fmt.Errorf("read output of passphrase command: %w", err)
	}
	return accept(line)
}

// firstBytes keeps what can be a passphrase and swallows the rest, so that the command does not end by SIGPIPE.
type firstBytes struct{ b []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	f.b = append(f.b, p[:min(len(p), maxSize+2-len(f.b))]...)
	return len(p), nil
}
