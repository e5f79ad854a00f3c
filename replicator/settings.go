package replicator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dfsmount/cache"
)

// settingsVersion is the version of the settings' JSON in the state. Settings of another version are refused.
const settingsVersion = 1

// settingsKey is where the settings are in the state: table 'V', the volume itself.
const settingsKey = "Vsettings"

// ErrNoSettings: the volume has no settings yet; Change makes the first.
var ErrNoSettings = errors.New("the volume has no settings")

// NodeConfig is one node in the volume's settings (sealed in the state, so that a clone knows it).
type NodeConfig struct {
	ID    NodeID    `json:"id"`
	Name  string    `json:"name"` // unique; made from the URL unless given
	URL   string    `json:"url"`  // with its token
	Added time.Time `json:"added"`
}

// Settings of a volume, kept in the state under the key "V" + "settings" as JSON; unknown fields are refused.
type Settings struct {
	Version int          `json:"version"`
	Copies  int          `json:"copies"` // acknowledgements that make a segment safe
	Nodes   []NodeConfig `json:"nodes"`
	Quota   int64        `json:"quota,omitempty"` // most bytes that files may take; 0: no bound. Versions before it refuse a volume that has one
}

// NewSettings are the settings of a new volume, without nodes yet.
func NewSettings(copies int) Settings { return Settings{Version: settingsVersion, Copies: copies} }

// Load reads the settings from the state. ErrNoSettings if there are none.
func Load(s *cache.Store) (Settings, error) { return loadSettings(cacheStore{s}) }

func loadSettings(s state) (Settings, error) {
	text, err := s.get(settingsKey)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	if text == nil {
		return Settings{}, ErrNoSettings
	}
	return decodeSettings(text)
}

// Change lets fn change the settings (the first time: empty ones), checks the outcome, and stores it, in one transaction that is durable
// here when Change returns. Acknowledgements of nodes that fn removed are forgotten afterwards, so that nothing counts copies on them. On
// error nothing has changed, unless the error says that the change itself was stored.
func Change(s *cache.Store, fn func(*Settings) error) (Settings, error) {
	return changeSettings(cacheStore{s}, fn)
}

func changeSettings(s local, fn func(*Settings) error) (Settings, error) {
	before, after := Settings{Version: settingsVersion}, Settings{}
	err := s.change(settingsKey, func(old []byte) ([]byte, error) {
		if old != nil {
			var err error
			if before, err = decodeSettings(old); err != nil {
				return nil, err
			}
		}
		after = before
		after.Nodes = slices.Clone(before.Nodes)
		if err := fn(&after); err != nil {
			return nil, err
		}
		return encodeSettings(after)
	})
	if err != nil {
		return Settings{}, fmt.Errorf("change settings: %w", err)
	}
	// The settings first: a crash here leaves acknowledgements of a node nobody names, which nothing counts. The other way round a
	// crash would leave a node of the volume that has to be sent everything again.
	if err := s.sync(context.Background()); err != nil {
		return Settings{}, fmt.Errorf("make changed settings durable: %w", err)
	}
	for _, n := range before.Nodes {
		if _, ok := after.node(n.ID); !ok {
			if err := s.removeNode(n.ID); err != nil {
				return after, fmt.Errorf("settings are stored; forget acknowledgements of node %q: %w", n.Name, err)
			}
		}
	}
	return after, nil
}

func encodeSettings(s Settings) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// decodeSettings refuses what it does not understand completely: a field ignored here could be a promise ignored.
func decodeSettings(text []byte) (Settings, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Settings{}, fmt.Errorf("decode settings: %w", err)
	}
	if version.Version != settingsVersion {
		return Settings{}, fmt.Errorf("settings have version %d; this dfsmount knows version %d only", version.Version, settingsVersion)
	}
	var s Settings
	if err := decodeStrict(text, &s); err != nil {
		return Settings{}, fmt.Errorf("decode settings: %w", err)
	}
	if err := s.Validate(); err != nil {
		return Settings{}, fmt.Errorf("settings: %w", err)
	}
	return s, nil
}

// decodeStrict decodes one JSON value and refuses unknown fields and anything behind it.
func decodeStrict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// Validate tells in one sentence what is wrong with the settings, if anything is.
func (s Settings) Validate() error {
	if s.Version != settingsVersion {
		return fmt.Errorf("version is %d, want %d", s.Version, settingsVersion)
	}
	if s.Copies < 1 {
		return fmt.Errorf("copies is %d: at least one node must acknowledge a segment before it counts as safe", s.Copies)
	}
	if s.Quota < 0 {
		return fmt.Errorf("quota is %d: it must be a number of bytes, or 0 for none", s.Quota)
	}
	ids, names, places := map[NodeID]string{}, map[string]bool{}, map[string]string{}
	for _, n := range s.Nodes {
		place := placeOf(n.URL)
		switch other, taken := places[place]; {
		case n.Name == "":
			return fmt.Errorf("the node at %s has no name", RedactURL(n.URL))
		case names[n.Name]:
			return fmt.Errorf("two nodes are named %q: names must differ", n.Name)
		case n.URL == "":
			return fmt.Errorf("node %q has no URL", n.Name)
		case taken:
			return fmt.Errorf("nodes %q and %q are the same place, %s: two copies there would be lost together", other, n.Name, RedactURL(n.URL))
		case n.ID == NodeID{}:
			return fmt.Errorf("node %q has no id", n.Name)
		case ids[n.ID] != "":
			return fmt.Errorf("nodes %q and %q have the same id", ids[n.ID], n.Name)
		}
		ids[n.ID], names[n.Name], places[place] = n.Name, true, n.Name
	}
	return nil
}

// Warnings are sentences about settings that are valid but promise less than they seem to.
func (s Settings) Warnings() []string {
	if s.Copies <= len(s.Nodes) {
		return nil
	}
	return []string{fmt.Sprintf("copies is %d but there %s: nothing can become safe before %d more %s added",
		s.Copies, plural(len(s.Nodes), "is 1 node", "are %d nodes"),
		s.Copies-len(s.Nodes), plural(s.Copies-len(s.Nodes), "is", "are"))}
}

// Add adds a node at url; an empty name is made from the URL.
func (s *Settings) Add(url, name string) (NodeConfig, error) {
	if name == "" {
		name = s.nameFor(url)
	}
	n := NodeConfig{ID: NewNodeID(), Name: name, URL: url, Added: time.Now().UTC().Truncate(time.Second)}
	s.Nodes = append(s.Nodes, n)
	return n, s.Validate()
}

// Remove removes the node of that name.
func (s *Settings) Remove(name string) (NodeConfig, error) {
	for i, n := range s.Nodes {
		if n.Name == name {
			s.Nodes = slices.Delete(s.Nodes, i, i+1)
			return n, nil
		}
	}
	return NodeConfig{}, fmt.Errorf("there is no node named %q", name)
}

func (s Settings) node(id NodeID) (NodeConfig, bool) {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n, true
		}
	}
	return NodeConfig{}, false
}

// nameFor makes a name that no node has yet.
func (s Settings) nameFor(url string) string {
	base := baseName(url)
	name := base
	for i := 2; slices.ContainsFunc(s.Nodes, func(n NodeConfig) bool { return n.Name == name }); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name
}
