package cache

import (
	"context"
	"fmt"

	"dfsmount/internal/disk"
	"dfsmount/segment"
)

// rebuild makes a new index: replay fills it.
func (s *Store) rebuild(ctx context.Context, ix index, files logFiles) error {
	epoch, err := s.peekEpoch(files)
	if err != nil {
		return err
	}
	return s.emptyIndex(ix, epoch)
}

// peekEpoch reads which epoch the newest segment that is here claims. Opening that segment proves it.
func (s *Store) peekEpoch(files logFiles) (uint64, error) {
	newest, name := segment.ID(0), ""
	for id := range files.sealed {
		if id > newest {
			newest, name = id, sealedName(id)
		}
	}
	if newest == 0 {
		return 1, nil // the tail will tell
	}
	f, err := s.disk.Open(name, disk.Read)
	if err != nil {
		return 0, fmt.Errorf("open segment %d: %w", newest, err)
	}
	defer f.Close()
	h, err := segment.PeekHeader(f)
	if err != nil {
		return 0, fmt.Errorf("read header of segment %d: %w", newest, err)
	}
	return h.Epoch, nil
}
