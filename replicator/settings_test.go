package replicator

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func node1() NodeConfig {
	return NodeConfig{ID: NodeID{1}, Name: "usb", URL: "dir:/media/usb", Added: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// The text of settings is in every volume's state: it stays readable.
func TestSettingsText(t *testing.T) {
	const text = `{"version":1,"copies":1,"nodes":[{"id":"0100000000000000","name":"usb","url":"dir:/media/usb","added":"2026-01-02T03:04:05Z"}]}`
	s := Settings{Version: 1, Copies: 1, Nodes: []NodeConfig{node1()}}
	got, err := encodeSettings(s)
	if err != nil || string(got) != text {
		t.Errorf("encoded %s, %v", got, err)
	}
	back, err := decodeSettings([]byte(text))
	if err != nil || len(back.Nodes) != 1 || back.Nodes[0] != s.Nodes[0] || back.Copies != 1 {
		t.Errorf("decoded %+v, %v", back, err)
	}
}

// A volume without a quota is one that earlier versions know; with one, they refuse it rather than exceed it.
func TestSettingsTextOfQuota(t *testing.T) {
	const text = `{"version":1,"copies":1,"nodes":[],"quota":1099511627776}`
	got, err := encodeSettings(Settings{Version: 1, Copies: 1, Nodes: []NodeConfig{}, Quota: 1 << 40})
	if err != nil || string(got) != text {
		t.Errorf("encoded %s, %v", got, err)
	}
	if back, err := decodeSettings([]byte(text)); err != nil || back.Quota != 1<<40 {
		t.Errorf("decoded %+v, %v", back, err)
	}
}

func TestSettingsAreDecodedStrictly(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"version":1,"copies":1,"nodes":[],"erasure":true}`, "unknown field"},
		{`{"version":2,"copies":1,"nodes":[]}`, "version 2"},
		{`{"copies":1,"nodes":[]}`, "version 0"},
		{`{"version":1,"copies":1,"nodes":[{"id":"01","name":"a","url":"dir:/a","added":"2026-01-02T03:04:05Z"}]}`, "16 hex digits"},
		{`{"version":1,"copies":1,"nodes":[{"id":"zz00000000000000","name":"a","url":"dir:/a"}]}`, "16 hex digits"},
		{`{"version":1,"copies":1,"nodes":[]}{}`, "decode settings"},
		{`{"version":1,"copies":0,"nodes":[]}`, "at least one node must acknowledge"},
		{`nonsense`, "decode settings"},
	} {
		if _, err := decodeSettings([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	for _, c := range []struct {
		change func(s *Settings)
		want   string
	}{
		{func(s *Settings) { s.Copies = 0 }, "copies is 0"},
		{func(s *Settings) { s.Quota = -1 }, "quota is -1"},
		{func(s *Settings) { s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{2}, Name: "usb", URL: "dir:/b"}) }, `two nodes are named "usb"`},
		{func(s *Settings) {
			s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{2}, Name: "b", URL: "dir:/media/usb/"})
		}, "are the same place"},
		{func(s *Settings) { s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{1}, Name: "b", URL: "dir:/b"}) }, "have the same id"},
		{func(s *Settings) { s.Nodes = append(s.Nodes, NodeConfig{Name: "b", URL: "dir:/b"}) }, "has no id"},
		{func(s *Settings) { s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{2}, Name: "b"}) }, "has no URL"},
		{func(s *Settings) { s.Nodes = append(s.Nodes, NodeConfig{ID: NodeID{2}, URL: "dir:/b"}) }, "has no name"},
	} {
		s := Settings{Version: 1, Copies: 1, Nodes: []NodeConfig{node1()}}
		c.change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// Tokens differ, the place does not: two copies there would be lost together. Nothing of a token is told.
func TestSamePlaceWithAnotherToken(t *testing.T) {
	s := NewSettings(1)
	for i, url := range []string{"https://SECRET1@host:4711/#pin", "https://SECRET2@HOST:4711"} {
		_, err := s.Add(url, "")
		if (err != nil) != (i == 1) {
			t.Fatalf("add %d: %v", i, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "https://host:4711") && !strings.Contains(err.Error(), "https://HOST:4711") || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%v", err)
		}
	}
}

func TestNamesAreMadeFromURLs(t *testing.T) {
	s := NewSettings(1)
	for _, c := range []struct{ url, name string }{
		{"dir:/media/USB Stick", "usb-stick"},
		{"dir:/mnt/vault", "vault"},
		{"dir:/other/vault", "vault-2"},
		{"https://tok@nas.example.org:4711/#p", "nas.example.org"},
		{"https://tok@nas.example.org:4712/#p", "nas.example.org-2"},
		{"https://tok@[::1]:4711/", "1"},
		{"dir:/", "node"},
	} {
		n, err := s.Add(c.url, "")
		if err != nil || n.Name != c.name {
			t.Errorf("%s: named %q, %v, want %q", c.url, n.Name, err, c.name)
		}
	}
	if _, err := s.Remove("vault-2"); err != nil || len(s.Nodes) != 6 {
		t.Errorf("remove: %v", err)
	}
	if _, err := s.Remove("vault-2"); err == nil || !strings.Contains(err.Error(), `no node named "vault-2"`) {
		t.Errorf("remove again: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	s := Settings{Version: 1, Copies: 3, Nodes: []NodeConfig{node1()}}
	if w := s.Warnings(); len(w) != 1 || w[0] != "copies is 3 but there is 1 node: nothing can become safe before 2 more are added" {
		t.Errorf("%q", w)
	}
	s.Copies = 1
	if w := s.Warnings(); w != nil {
		t.Errorf("%q", w)
	}
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://tok:en@host:1/p?key=secret#pin": "https://host:1/p",
		"https://tok@host:1/#pin":                "https://host:1/",
		"dir:/media/usb":                         "dir:/media/usb",
		"https://tok en@%zz":                     "an unreadable URL",
	} {
		if got := RedactURL(raw); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestChangeIsOneTransaction(t *testing.T) {
	store := newFakeStore()
	if _, err := loadSettings(store); !errors.Is(err, ErrNoSettings) {
		t.Errorf("load: %v", err)
	}
	set, err := changeSettings(store, func(s *Settings) error {
		s.Copies = 1
		s.Nodes = append(s.Nodes, node1())
		return nil
	})
	if err != nil || len(set.Nodes) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	must(t, store.recordAcks(NodeID{1}, numbers([]sealedSegment{{number: 1}})))
	for _, fn := range []func(*Settings) error{
		func(s *Settings) error { s.Nodes[0].Name = "other"; return errDown },
		func(s *Settings) error { s.Copies = -1; return nil },
	} {
		if _, err := changeSettings(store, fn); err == nil {
			t.Error("no error")
		}
		if got, err := loadSettings(store); err != nil || got.Nodes[0].Name != "usb" || got.Copies != 1 {
			t.Errorf("changed all the same: %+v, %v", got, err)
		}
	}
	if !store.ackedBy(NodeID{1}).has(1) {
		t.Error("acknowledgements are gone though the node stays")
	}
	if _, err := changeSettings(store, func(s *Settings) error { s.Nodes = nil; return nil }); err != nil {
		t.Error(err)
	}
	if len(store.ackedBy(NodeID{1})) > 0 {
		t.Error("acknowledgements of a removed node stay")
	}
}

func FuzzDecodeSettings(f *testing.F) {
	f.Add([]byte(`{"version":1,"copies":1,"nodes":[]}`))
	f.Add([]byte(`{"version":1,"copies":1,"nodes":[{"id":"0100000000000000","name":"a","url":"dir:/a","added":"2026-01-02T03:04:05Z"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeSettings(text)
		if err != nil {
			return
		}
		again, err := encodeSettings(s)
		if err != nil {
			t.Fatalf("%s decodes and does not encode: %v", text, err)
		}
		if back, err := decodeSettings(again); err != nil || !json.Valid(again) || len(back.Nodes) != len(s.Nodes) {
			t.Fatalf("%s became %s: %v", text, again, err)
		}
	})
}
