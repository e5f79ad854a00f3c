package main

import (
	"path/filepath"
	"strings"

	"dfsmount/fs/fusefs"
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
		path, id := splitDirID(rest)
		return dirnode.Open(path, dirnode.Options{Create: create, ID: id})
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
	path, id := splitDirID(path)
	if path == "" {
		return "", fail(exitUsage, "for example dir:/media/usb/vault", "the node %q names no directory", raw)
	}
	abs, err := filepath.Abs(path)
	if id != "" {
		abs += "#" + id
	}
	return "dir:" + abs, err
}

// splitDirID takes a directory node's URL (without its scheme) apart: PATH, or PATH#ID with the id of the node that must be there, so that another
// disk mounted in the same place is not taken for it.
func splitDirID(rest string) (path, id string) {
	rest = strings.TrimPrefix(rest, "//")
	if i := strings.LastIndexByte(rest, '#'); i > 0 && node.ValidVolume(rest[i+1:]) { // ids are made like volume ids
		return rest[:i], rest[i+1:]
	}
	return rest, ""
}

// withDirID is the URL to record for a node that was just asked: with its id, if it is a directory.
func withDirID(raw string) (string, error) {
	rest, ok := strings.CutPrefix(raw, "dir:")
	if !ok {
		return raw, nil
	}
	path, _ := splitDirID(rest)
	id, err := dirnode.ID(path)
	return "dir:" + path + "#" + id, err
}

// checkPlace refuses a directory node that would be part of the volume it keeps copies of: it would hold none, and on the volume's own mount
// each segment it gets would make the next one.
func checkPlace(url, volume string) error {
	rest, ok := strings.CutPrefix(url, "dir:")
	if !ok {
		return nil
	}
	path, _ := splitDirID(rest)
	if within(path, volume) || within(volume, path) {
		return fail(exitUsage, "keep copies on another disk", "the node %s and the volume's directory contain each other", path)
	}
	if m, err := fusefs.FindMount(path); err == nil && m.Source == volume {
		return fail(exitUsage, "keep copies on another disk", "the node %s lies in the volume itself, which is mounted on %s", path, m.Dir)
	}
	return nil
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
