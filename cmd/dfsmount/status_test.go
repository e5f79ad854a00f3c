package main

import (
	"encoding/json"
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dfsmount/replicator"
)

var update = flag.Bool("update", false, "write what the program prints into testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

var (
	now        = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fullReport = statusReport{
		Volume: "/home/a/.vault", ID: "00112233445566778899aabbccddeeff", Mounted: "/home/a/vault", Since: now.Add(-90 * time.Minute),
		Pid: 4711, Version: "1.0", Fsync: "local", ReadOnly: true, Problem: "no room on the local disk",
		Replication: replicator.Status{
			Copies: 2, Segments: 812, Unsafe: 3 << 20, UnsafeAge: 4 * time.Minute,
			Fenced:   &replicator.Fence{},
			Damaged:  []replicator.Damage{{Segment: 7, Error: "short"}},
			Warnings: []string{"copies is 2 but there is 1 node"},
			Nodes: []replicator.NodeStatus{
				{Name: "usb", URL: "dir:/media/usb", State: replicator.StateCurrent, Since: now, Position: 812, LastAck: now.Add(-3 * time.Second), Latency: time.Millisecond},
				{Name: "nas", URL: "https://nas:7420/", State: replicator.StateUnreachable, Since: now, Behind: 3 << 20, BehindSegments: 3, BehindFor: 4 * time.Minute,
					Position: 809, LastError: "dial tcp:\nconnection refused", LastErrorAt: now, NextTry: now.Add(12 * time.Second),
					Losses: 1, LastLoss: "segment/1", FaultCount: 1, Faults: []replicator.ObjectFault{{Object: "segment/2", Error: "other bytes", Since: now, NextTry: now}}},
				{Name: "new", URL: "dir:/new", State: replicator.StateConnecting, Behind: 900 << 20, BehindSegments: 812, BehindFor: 100 * time.Hour},
			},
		},
	}
)

func TestStatusText(t *testing.T) {
	var text strings.Builder
	if err := fullReport.print(&text, now); err != nil {
		t.Fatal(err)
	}
	safe := fullReport
	safe.Mounted, safe.Problem = "", ""
	safe.Replication = replicator.Status{Copies: 1, Safe: true, Nodes: fullReport.Replication.Nodes[:1]}
	text.WriteString("--\n")
	if err := safe.print(&text, now); err != nil {
		t.Fatal(err)
	}
	safe.Replication = replicator.Status{Copies: 1, Unsafe: 100}
	text.WriteString("--\n")
	if err := safe.print(&text, now); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", text.String())
}

// The keys of the JSON are an interface: they are only ever added.
func TestStatusKeys(t *testing.T) {
	raw, err := json.Marshal(fullReport)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	collectKeys(keys, "", v)
	var list []string
	for k := range keys {
		list = append(list, k+"\n")
	}
	slices.Sort(list)
	golden(t, "status-keys.txt", strings.Join(list, ""))
}

func collectKeys(into map[string]bool, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			into[prefix+k] = true
			collectKeys(into, prefix+k+".", inner)
		}
	case []any:
		for _, inner := range v {
			collectKeys(into, prefix, inner)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 20: "1.0 MiB",
		5 << 30: "5.0 GiB", 3 << 40: "3.0 TiB", 1 << 50: "1.0 PiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestAgeText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 0: "just now", 999 * time.Millisecond: "just now", time.Second: "1 s ago", 59*time.Second + 999*time.Millisecond: "59 s ago",
		time.Minute: "1 min ago", 59*time.Minute + 59*time.Second: "59 min ago", time.Hour: "1 h ago", 47 * time.Hour: "47 h ago",
		48 * time.Hour: "2 days ago", 400 * 24 * time.Hour: "400 days ago",
	} {
		if got := agoText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := ageText(0); got != "under 1 s" {
		t.Errorf("no time at all: %q", got)
	}
}

func TestClientAddress(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, listening, want string }{
		{"", "192.168.1.4:7420", "192.168.1.4:7420"},
		{"", "127.0.0.1:1", "127.0.0.1:1"},
		{"", "[::1]:7420", "[::1]:7420"},
		{"", "0.0.0.0:7420", net.JoinHostPort(machine, "7420")},
		{"", "[::]:7420", net.JoinHostPort(machine, "7420")},
		{"nas.example.net", "[::]:7420", "nas.example.net:7420"},
		{"2001:db8::1", "[::]:7420", "[2001:db8::1]:7420"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.listening)
		if err != nil {
			t.Fatal(err)
		}
		if got := clientAddress(c.name, addr); got != c.want {
			t.Errorf("name %q, listening on %s: %s, want %s", c.name, c.listening, got, c.want)
		}
	}
}

func TestRemovable(t *testing.T) {
	at := func(name string, position, behind uint64) replicator.NodeStatus {
		n := replicator.NodeStatus{Name: name, BehindSegments: behind, Behind: int64(behind)}
		n.Position += replicator.NodeStatus{}.Position
		for range position {
			n.Position++
		}
		return n
	}
	for _, c := range []struct {
		name   string
		copies int
		nodes  []replicator.NodeStatus
		code   int
	}{
		{"the others have everything", 2, []replicator.NodeStatus{at("x", 9, 0), at("a", 9, 0), at("b", 9, 0)}, exitOK},
		{"one copy would be left of two", 2, []replicator.NodeStatus{at("x", 9, 0), at("a", 9, 0)}, exitUnsafe},
		{"another one is behind", 2, []replicator.NodeStatus{at("x", 9, 0), at("a", 9, 0), at("b", 8, 1)}, exitUnsafe},
		{"it is behind itself, the others have what it has", 2, []replicator.NodeStatus{at("x", 8, 1), at("a", 9, 0), at("b", 8, 1)}, exitOK},
		{"it has newer ones, but lacks an old one", 1, []replicator.NodeStatus{at("x", 2, 1), at("a", 8, 1)}, exitUnsafe},
		{"it has nothing", 2, []replicator.NodeStatus{at("x", 0, 9), at("a", 9, 0)}, exitOK},
		{"it is the only one", 1, []replicator.NodeStatus{at("x", 9, 0)}, exitUnsafe},
		{"it is not there", 1, []replicator.NodeStatus{at("a", 9, 0)}, exitUsage},
	} {
		err := removable(replicator.Status{Copies: c.copies, Segments: 9, Nodes: c.nodes}, "x")
		if code, _ := classify(err); err == nil && c.code != exitOK || err != nil && code != c.code {
			t.Errorf("%s: %v, want exit code %d", c.name, err, c.code)
		}
	}
}
