// Command dfsmount mounts an encrypted, replicated filesystem and looks after it.
//
// main makes a signal context and calls run; only main exits, so every deferred undoing happens. Each command is one file. mount.go
// is the architecture: from passphrase to mounted, and back in reverse order.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when the program is built: see the Makefile.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program; it returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	root := newRoot(c)
	root.SetArgs(mount8(root, args))
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = context.Canceled
	}
	return report(c.err, err)
}

func newRoot(c console) *cobra.Command {
	root := &cobra.Command{
		Use:   "dfsmount",
		Short: "An encrypted directory that survives the loss of any machine",
		Long: `dfsmount mounts an encrypted volume as a normal directory and keeps sealed copies of it on several nodes.

VOLUME is the volume's own directory (made by init or clone); commands about a mounted volume take the directory it
is mounted on as well. Passphrases come from a prompt, --passphrase-file, --passphrase-command or standard input,
never from the command line or the environment.`,
		Example: `  dfsmount init ~/.vault --node dir:/media/usb/vault --node https://TOKEN@nas:7420/#PIN --copies 2
  dfsmount mount ~/.vault ~/vault
  dfsmount status ~/vault
  dfsmount umount ~/vault`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    version,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs, // RunE says what is wrong with them
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(exitUsage, "see `"+cmd.CommandPath()+" --help`", "%v", err)
	})
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(initCommand(c), mountCommand(c), umountCommand(c), statusCommand(c), syncCommand(c), nodeCommand(c),
		nodesCommand(c), quotaCommand(c), cloneCommand(c), checkCommand(c), demoCommand(c), versionCommand(c), flusherCommand(c), exitCodesTopic())
	return root
}

func unknownCommand(root *cobra.Command, word string) error {
	hint := "`dfsmount --help` lists the commands"
	if similar := root.SuggestionsFor(word); len(similar) > 0 {
		hint = "did you mean " + strings.Join(similar, " or ") + "? " + hint
	}
	return fail(exitUsage, hint, "there is no command %q", word)
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Help about any command",
		Example: "  dfsmount help mount",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, _, err := root.Find(args)
			if err != nil || cmd == root && len(args) > 0 {
				return unknownCommand(root, args[0])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// mount8 turns the form in which mount(8) and systemd call a filesystem's helper, `dfsmount VOLUME DIR [-o …]`, into
// `dfsmount mount VOLUME DIR …`.
func mount8(root *cobra.Command, args []string) []string {
	if len(args) < 2 || args[0] == "" || args[0][0] == '-' {
		return args
	}
	if cmd, _, err := root.Find(args); err == nil && cmd != root {
		return args
	}
	if args[0] == "help" || args[0] == "completion" || args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd {
		return args
	}
	if _, err := os.Stat(args[0]); err != nil && !strings.Contains(args[0], "/") {
		return args // a command mistyped rather than a volume
	}
	return append([]string{"mount"}, args...)
}

func versionCommand(c console) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  dfsmount version",
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(c.out, "dfsmount", version)
			return err
		},
	}
}

func exitCodesTopic() *cobra.Command {
	text := "Exit codes of dfsmount:\n\n"
	for _, e := range exitTable {
		text += fmt.Sprintf("  %3d  %s\n", e.code, e.text)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: text}
}

// exactArgs is cobra.ExactArgs with our voice.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return fail(exitUsage, "see `"+cmd.CommandPath()+" --help`", "usage: %s", cmd.UseLine())
	}
}
