package seal

import "sync"

// TestKeys returns keys made from a fixed volume key, for tests of other packages. They protect nothing: everybody
// knows them.
func TestKeys() *Keys { return testKeys() }

var testKeys = sync.OnceValue(func() *Keys {
	raw := []byte("dfsmount test key, known to all.")
	return volumeKeyOf(raw).Derive(VolumeID([]byte("dfsmount-test-id")))
})
