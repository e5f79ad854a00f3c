package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dfsmount/fs/fusefs"
)

// mountOptions are what `-o` sets.
type mountOptions struct {
	fuse         fusefs.Options
	fsyncNodes   bool          // fsync waits for the policy's nodes
	fsyncTimeout time.Duration // then it fails with EIO
	remount      bool          // change a mount that is there
	pass         passphraseFlags
}

// defaultFsyncTimeout is how long an fsync under fsync=nodes waits for nodes before it reports an error: long enough for a node to restart,
// short enough for a person to learn that it does not come back.
const defaultFsyncTimeout = 2 * time.Minute

// option is one word that may stand behind -o. A nil set takes part in mount(8)'s conventions and changes nothing here: whatever
// it asks for holds anyway or is someone else's to do (mount(8), systemd).
type option struct {
	name  string
	value bool // takes =VALUE
	help  string
	set   func(o *mountOptions, value string) error
}

var optionTable = []option{
	{"ro", false, "mount read-only", func(o *mountOptions, _ string) error { o.fuse.ReadOnly = true; return nil }},
	{"rw", false, "mount for reading and writing (default)", func(o *mountOptions, _ string) error { o.fuse.ReadOnly = false; return nil }},
	{"remount", false, "change ro, suid and dev of a mount that is there (root only)", func(o *mountOptions, _ string) error { o.remount = true; return nil }},
	{"allow_other", false, "let other users in (default for root; others need user_allow_other in /etc/fuse.conf)", func(o *mountOptions, _ string) error { o.fuse.AllowOther = true; return nil }},
	{"suid", false, "honour set-user-id bits (root only; default nosuid)", func(o *mountOptions, _ string) error { o.fuse.Suid = true; return nil }},
	{"nosuid", false, "ignore set-user-id bits (default)", func(o *mountOptions, _ string) error { o.fuse.Suid = false; return nil }},
	{"dev", false, "let device nodes be opened (root only; default nodev)", func(o *mountOptions, _ string) error { o.fuse.Dev = true; return nil }},
	{"nodev", false, "do not let device nodes be opened (default)", func(o *mountOptions, _ string) error { o.fuse.Dev = false; return nil }},
	{"fsync", true, "what fsync waits for: local (stable storage here, default) or nodes (also the policy's nodes)", setFsync},
	{"fsync_timeout", true, "how long fsync waits for nodes before it fails, e.g. 30s (default 2m)", setFsyncTimeout},
	{"writethrough", false, "no write cache in the kernel: every write(2) reaches dfsmount at once", func(o *mountOptions, _ string) error { o.fuse.WriteThrough = true; return nil }},
	{"passphrase-file", true, "read the passphrase from this file", func(o *mountOptions, v string) error { o.pass.file = v; return nil }},
	{"passphrase-command", true, "read the passphrase from what this command prints", func(o *mountOptions, v string) error { o.pass.command = v; return nil }},
	{"debug", false, "log every request (names included) to standard error; with -f only", func(o *mountOptions, _ string) error { o.fuse.Debug = true; return nil }},
	{"default_permissions", false, "always on", nil},
	{"noatime", false, "always so: reading changes no time", nil},
	{"exec", false, "programs may be run (default)", nil},
	{"auto", false, "for mount(8)", nil},
	{"noauto", false, "for mount(8)", nil},
	{"nofail", false, "for systemd", nil},
	{"_netdev", false, "for systemd", nil},
	{"user", false, "for mount(8)", nil},
	{"nouser", false, "for mount(8)", nil},
	{"users", false, "for mount(8)", nil},
	{"defaults", false, "for mount(8)", nil},
}

// parseOptions applies comma-separated options to o. A backslash keeps a comma in a value. An unknown option is an error:
// nothing is ever silently ignored (C8).
func parseOptions(o *mountOptions, list string) error {
	words := splitOptions(list)
	for _, word := range words {
		if word == "" || strings.HasPrefix(word, "x-") || strings.HasPrefix(word, "comment=") {
			continue
		}
		name, value, hasValue := strings.Cut(word, "=")
		if isKernelOption(words, name) {
			continue
		}
		i := slices.IndexFunc(optionTable, func(t option) bool { return t.name == name })
		if i < 0 {
			return fail(exitUsage, "known options: "+optionNames(), "unknown mount option %q", name)
		}
		t := optionTable[i]
		if t.value != hasValue {
			return fail(exitUsage, t.name+": "+t.help, "mount option %q %s", name, map[bool]string{true: "needs a value", false: "takes no value"}[t.value])
		}
		if t.set == nil {
			continue
		}
		if err := t.set(o, value); err != nil {
			return fail(exitUsage, t.name+": "+t.help, "mount option %s: %w", word, err)
		}
	}
	return nil
}

func splitOptions(list string) []string {
	var words []string
	var word strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list):
			i++
			word.WriteByte(list[i])
		case list[i] == ',':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(list[i])
		}
	}
	return append(words, word.String())
}

func optionNames() string {
	var names []string
	for _, t := range optionTable {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

func optionHelp() string {
	var b strings.Builder
	for _, t := range optionTable {
		name := t.name
		if t.value {
			name += "=…"
		}
		fmt.Fprintf(&b, "  %-22s %s\n", name, t.help)
	}
	return b.String()
}

func setFsync(o *mountOptions, v string) error {
	switch v {
	case "local":
		o.fsyncNodes = false
	case "nodes":
		o.fsyncNodes = true
	default:
		return fmt.Errorf("it is %q, but must be local or nodes", v)
	}
	return nil
}

func setFsyncTimeout(o *mountOptions, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a length of time such as 30s or 2m", v)
	}
	o.fsyncTimeout = d
	return nil
}
