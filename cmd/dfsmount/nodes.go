package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dfsmount/internal/control"
	"dfsmount/node"
	"dfsmount/replicator"
)

// nodeCheckTimeout is how long a node may take to answer when it is added.
const nodeCheckTimeout = 30 * time.Second

func nodesCommand(c console) *cobra.Command {
	var name string
	var pass passphraseFlags
	cmd := &cobra.Command{
		Use:   "nodes VOLUME|DIR [list | add URL | remove NAME]",
		Short: "Show or change where copies live",
		Long: `Lists the nodes of a volume, adds one, or removes one. Works while the volume is mounted; otherwise it asks for the passphrase. The list of
nodes is part of the volume: a clone knows it. A node that is added gets everything that exists; one that is removed
keeps what it has (delete it there yourself), and is refused while others do not have enough copies.`,
		Example: `  dfsmount nodes ~/vault list
  dfsmount nodes ~/vault add dir:/media/usb/vault --name usb
  dfsmount nodes ~/vault remove usb`,
	}
	cmd.Flags().StringVar(&name, "name", "", "with add: what to call the node (default: made from its URL)")
	pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := parseNodesArgs(cmd, args, name)
		if err != nil {
			return err
		}
		dir, err := volumeOf(args[0])
		if err != nil {
			return err
		}
		if err := checkPlace(a.URL, dir); err != nil {
			return err
		}
		list, err := changeNodes(cmd.Context(), c, dir, a, &pass)
		if err != nil {
			return err
		}
		return printNodeList(c, list)
	}
	return cmd
}

// nodesArgs is one change of the list of nodes, or none.
type nodesArgs struct {
	Op   string `json:"op"` // list, add, remove
	URL  string `json:"url,omitempty"`
	Name string `json:"name,omitempty"`
}

// nodeLine is what a list shows of a node: never its token.
type nodeLine struct {
	Name  string    `json:"name"`
	URL   string    `json:"url"`
	Added time.Time `json:"added"`
}

func parseNodesArgs(cmd *cobra.Command, args []string, name string) (nodesArgs, error) {
	usage := fail(exitUsage, "see `dfsmount nodes --help`", "usage: %s", cmd.UseLine())
	switch {
	case len(args) == 1, len(args) == 2 && args[1] == "list":
		return nodesArgs{Op: "list"}, nil
	case len(args) == 3 && args[1] == "add":
		url, err := absoluteNode(args[2])
		return nodesArgs{Op: "add", URL: url, Name: name}, err
	case len(args) == 3 && args[1] == "remove":
		return nodesArgs{Op: "remove", Name: args[2]}, nil
	}
	return nodesArgs{}, usage
}

func changeNodes(ctx context.Context, c console, dir string, a nodesArgs, pass *passphraseFlags) (list []nodeLine, err error) {
	err = ask(ctx, dir, "nodes", a, &list, nil)
	if !errors.Is(err, control.ErrNotMounted) {
		return list, err
	}
	vol, err := askAndOpen(ctx, c, dir, pass)
	if err != nil {
		return nil, err
	}
	set, err := vol.changeNodes(ctx, vol.replicator(nil), a)
	if err == nil && a.Op != "list" {
		vol.settings = set
		spread(ctx, c, vol)
	}
	return nodeLines(set), errors.Join(err, vol.close())
}

// spread puts a change that was made without a mount on the nodes: the list of nodes is part of the volume, and lost with this machine until
// then. It says what could not be done; the next mount goes on with it.
func spread(ctx context.Context, c console, vol *volume) {
	ctx, cancel := context.WithTimeout(ctx, nodeCheckTimeout)
	defer cancel()
	repl := vol.replicator(nil)
	stop := start(ctx, repl.Run)
	defer stop()
	if err := repl.Sync(ctx, 0); err != nil {
		fmt.Fprintf(c.err, "dfsmount: note: the change is not on enough nodes yet; it goes on when the volume is mounted (%v)\n", oneLine(err.Error()))
	}
}

// nodes is the same on a live mount.
func (m *mounted) nodes(ctx context.Context, args json.RawMessage, _ func(int64, int64)) (any, error) {
	var a nodesArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	set, err := m.vol.changeNodes(ctx, m.repl, a)
	if err != nil {
		return nil, err
	}
	m.repl.Apply(set)
	return nodeLines(set), m.vol.store.Sync(ctx)
}

// changeNodes changes the volume's list of nodes; the caller makes it durable.
func (v *volume) changeNodes(ctx context.Context, repl *replicator.Replicator, a nodesArgs) (replicator.Settings, error) {
	switch a.Op {
	case "add":
		url, err := checkNode(ctx, a.URL)
		if err != nil {
			return replicator.Settings{}, err
		}
		return replicator.Change(v.store, func(s *replicator.Settings) error {
			_, err := s.Add(url, a.Name)
			return orElse(exitUsage, "`dfsmount nodes VOLUME list` shows what there is", err)
		})
	case "remove":
		if err := removable(repl.Status(), a.Name); err != nil {
			return replicator.Settings{}, err
		}
		return replicator.Change(v.store, func(s *replicator.Settings) error {
			_, err := s.Remove(a.Name)
			return err
		})
	default:
		return replicator.Load(v.store)
	}
}

// checkNode asks a node to answer before it is trusted with a copy, and returns the URL to record. A directory is set up as a node.
func checkNode(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, nodeCheckTimeout)
	defer cancel()
	host, err := openHost(url, true)
	if err != nil && strings.HasPrefix(url, "dir:") {
		return "", fail(exitNode, "name an empty directory, or one that is a node already", "node %s: %w", url, err)
	}
	if err != nil {
		return "", err // nothing was asked yet: the URL is wrong, and says how
	}
	defer host.Close()
	if _, err := host.Volumes(ctx); err != nil {
		return "", nodeError(url, err)
	}
	return withDirID(url)
}

func nodeError(url string, err error) error {
	hint := "is it running, and can it be reached from here?"
	if errors.Is(err, node.ErrPermanent) {
		hint = "check its URL: `dfsmount node` prints it when it starts"
	}
	return fail(exitNode, hint, "node %s: %v", replicator.RedactURL(url), err)
}

// removable refuses to remove a node whose copies are needed: without it, whatever it has must still be on enough nodes. A node that
// never acknowledged anything (added by mistake, say) takes nothing along.
func removable(s replicator.Status, name string) error {
	i := slices.IndexFunc(s.Nodes, func(n replicator.NodeStatus) bool { return n.Name == name })
	if i < 0 {
		return fail(exitUsage, "`dfsmount nodes VOLUME list` shows their names", "no node is called %q", name)
	}
	upTo := reach(s, s.Nodes[i])
	others := 0
	for j, n := range s.Nodes {
		if j != i && uint64(n.Position) >= upTo {
			others++
		}
	}
	if upTo > 0 && others < s.Copies {
		return fail(exitUnsafe, "add another node first, or wait with `dfsmount sync` until the others have everything",
			"only %d %s what %s has, and the policy asks for %d", others, plural(others, "other node has", "other nodes have"), name, s.Copies)
	}
	return nil
}

// reach is a segment number that nothing a node has lies above.
func reach(s replicator.Status, n replicator.NodeStatus) uint64 {
	if position := uint64(n.Position); position+n.BehindSegments == s.Segments {
		return position // it lacks the newest ones only
	}
	return s.Segments
}

func nodeLines(s replicator.Settings) []nodeLine {
	list := []nodeLine{}
	for _, n := range s.Nodes {
		list = append(list, nodeLine{Name: n.Name, URL: replicator.RedactURL(n.URL), Added: n.Added})
	}
	return list
}

func printNodeList(c console, list []nodeLine) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.out, "no nodes: nothing leaves this machine")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tADDED\tURL")
	for _, n := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\n", n.Name, n.Added.Local().Format("2006-01-02"), n.URL)
	}
	return t.Flush()
}
