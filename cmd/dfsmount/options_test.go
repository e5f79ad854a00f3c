package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dfsmount/fs/fusefs"
)

func TestParseOptions(t *testing.T) {
	all := fusefs.Options{ReadOnly: true, AllowOther: true, Suid: true, Dev: true, WriteThrough: true, Debug: true}
	for _, c := range []struct {
		list string
		want mountOptions
	}{
		{"", mountOptions{}},
		{"ro", mountOptions{fuse: fusefs.Options{ReadOnly: true}}},
		{"ro,rw", mountOptions{}}, // the last one counts, as in mount(8)
		{"suid,dev,nosuid,nodev", mountOptions{}},
		{"ro,allow_other,suid,dev,writethrough,debug", mountOptions{fuse: all}},
		{"fsync=nodes,fsync_timeout=30s", mountOptions{fsyncNodes: true, fsyncTimeout: 30 * time.Second}},
		{"fsync=nodes,fsync=local", mountOptions{}},
		{`passphrase-file=/a\,b\\c`, mountOptions{pass: passphraseFlags{file: `/a,b\c`}}},
		{"passphrase-command=cat x=y", mountOptions{pass: passphraseFlags{command: "cat x=y"}}},
		{",,default_permissions,noatime,exec,auto,noauto,nofail,_netdev,user,nouser,users,defaults,", mountOptions{}},
		{"x-systemd.automount,x-gvfs-show,comment=mine", mountOptions{}},
	} {
		var got mountOptions
		if err := parseOptions(&got, c.list); err != nil || got != c.want {
			t.Errorf("-o %s: %+v, %v; want %+v", c.list, got, err, c.want)
		}
	}
}

func TestParseOptionsRefusesWhatItDoesNotKnow(t *testing.T) {
	for list, want := range map[string]string{
		"big_writes":         `unknown mount option "big_writes"`,
		"ro,umask=022":       `unknown mount option "umask"`,
		"RO":                 `unknown mount option "RO"`,
		" ro":                `unknown mount option " ro"`,
		"atime":              `unknown mount option "atime"`,
		"noexec":             `unknown mount option "noexec"`,
		"ro=yes":             `"ro" takes no value`,
		"rw=":                `"rw" takes no value`,
		"passphrase-file":    `"passphrase-file" needs a value`,
		"fsync=sometimes":    "must be local or nodes",
		"fsync=":             "must be local or nodes",
		"fsync_timeout=0":    "not a length of time",
		"fsync_timeout=-1s":  "not a length of time",
		"fsync_timeout=soon": "not a length of time",
	} {
		err := parseOptions(new(mountOptions), list)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-o %q: %v, want an error with %q", list, err, want)
			continue
		}
		if code, hint := classify(err); code != exitUsage || hint == "" {
			t.Errorf("-o %q: exit code %d, hint %q; want %d and a hint", list, code, hint, exitUsage)
		}
	}
}

// Every option of the table is accepted in its form, and its help is shown.
func TestEveryOption(t *testing.T) {
	values := map[string]string{"fsync": "local", "fsync_timeout": "1m", "passphrase-file": "/f", "passphrase-command": "true"}
	for _, o := range optionTable {
		word := o.name
		if o.value {
			if values[o.name] == "" {
				t.Fatalf("option %s has no example here", o.name)
			}
			word += "=" + values[o.name]
		}
		if err := parseOptions(new(mountOptions), word); err != nil {
			t.Errorf("-o %s: %v", word, err)
		}
		if !strings.Contains(optionHelp(), "  "+o.name) || !strings.Contains(optionHelp(), o.help) {
			t.Errorf("the help does not show option %s", o.name)
		}
	}
}

// Words that are escaped and joined come back as they were, and nothing panics.
func FuzzSplitOptions(f *testing.F) {
	for _, seed := range []string{"", ",", `\`, `\\`, `\,`, "ro,rw", `a\,b,c\\,d`, `x=\`, "ä,\x00"} {
		f.Add(seed)
	}
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`)
	f.Fuzz(func(t *testing.T, list string) {
		words := splitOptions(list)
		var escaped []string
		for _, w := range words {
			escaped = append(escaped, escape.Replace(w))
		}
		if again := splitOptions(strings.Join(escaped, ",")); !slices.Equal(again, words) {
			t.Errorf("%q is %q, which comes back as %q", list, words, again)
		}
		_ = parseOptions(new(mountOptions), list)
	})
}
