package main

import (
	"path/filepath"
	"strings"

	"dfsmount/node"
	"dfsmount/node/dirnode"
	"dfsmount/node/httpnode"
	"dfsmount/replicator"
)

// openHost makes a node of its URL. create lets a directory node be set up where there is none yet; without it a directory
// that is not one (an unmounted USB disk, say) is refused rather than filled.
func openHost(raw string, create bool) (node.Host, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	hint := "a node is dir:/PATH or https://TOKEN@HOST:PORT/#PIN (the line that `dfsmount node` prints)"
	switch {
	case !ok:
		return nil, fail(exitUsage, hint, "%q is not a node's URL", raw)
	case scheme == "dir":
		return dirnode.Open(strings.TrimPrefix(rest, "//"), dirnode.Options{Create: create})
	case scheme == "https":
		host, err := httpnode.Open(raw)
		if err != nil {
			return nil, fail(exitUsage, "paste the whole line that `dfsmount node` prints, in quotes", "%w", err)
		}
		return host, nil
	default:
		return nil, fail(exitUsage, hint, "unknown kind of node %q", scheme)
	}
}

// absoluteNode makes the path of a directory node absolute, so that the URL means the same wherever it is used from.
func absoluteNode(raw string) (string, error) {
	path, ok := strings.CutPrefix(raw, "dir:")
	if !ok {
		return raw, nil
	}
	path = strings.TrimPrefix(path, "//")
	if path == "" {
		return "", fail(exitUsage, "for example dir:/media/usb/vault", "the node %q names no directory", raw)
	}
	abs, err := filepath.Abs(path)
	return "dir:" + abs, err
}

// nodeOpener opens the nodes of one volume for the replicator.
func nodeOpener(volume string) func(replicator.NodeConfig) (node.Node, error) {
	return func(c replicator.NodeConfig) (node.Node, error) {
		host, err := openHost(c.URL, false)
		if err != nil {
			return nil, err
		}
		return host.Volume(volume), nil
	}
}
