package harness

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Search looks for any of the needles in everything below dirs: names, contents, targets of links, extended attributes; as they are, and
// in hexadecimal and base64. It returns where it found what, and how many bytes it looked through.
func Search(needles []string, dirs ...string) (found []string, looked int64, err error) {
	forms := disguises(needles)
	for _, dir := range dirs {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			places := map[string][]byte{"name": []byte(d.Name())}
			if err := gather(places, path, d); err != nil {
				return err
			}
			for place, b := range places {
				looked += int64(len(b))
				for needle, all := range forms {
					for _, form := range all {
						if bytes.Contains(b, form) {
							found = append(found, fmt.Sprintf("%q as %q in the %s of %s", needle, form, place, path))
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			return found, looked, err
		}
	}
	return found, looked, nil
}

func gather(places map[string][]byte, path string, d fs.DirEntry) (err error) {
	switch {
	case d.Type().IsRegular():
		places["content"], err = os.ReadFile(path)
	case d.Type()&fs.ModeSymlink != 0:
		var target string
		target, err = os.Readlink(path)
		places["target"] = []byte(target)
	}
	if err != nil {
		return err
	}
	attrs, err := Xattrs(path)
	for name, value := range attrs {
		places["attribute "+name] = []byte(name + "\x00" + value)
	}
	return err
}

// disguises lists the ways in which text may hide in bytes. Of base64 only what does not depend on the bytes around it.
func disguises(needles []string) map[string][][]byte {
	forms := map[string][][]byte{}
	for _, n := range needles {
		h := hex.EncodeToString([]byte(n))
		forms[n] = [][]byte{[]byte(n), []byte(h), bytes.ToUpper([]byte(h))}
		for shift := range 3 {
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				s := enc.EncodeToString(append(make([]byte, shift), n...))
				forms[n] = append(forms[n], []byte(s[(shift*8+5)/6:len(s)-1]))
			}
		}
	}
	return forms
}

// Xattrs reads all extended attributes of a path, not following a link.
func Xattrs(path string) (map[string]string, error) {
	size, err := unix.Llistxattr(path, nil)
	if err == unix.EOPNOTSUPP || size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(path, list); err != nil {
		return nil, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	attrs := map[string]string{}
	for name := range bytes.SplitSeq(bytes.TrimSuffix(list[:size], []byte{0}), []byte{0}) {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, string(name), value)
		if err != nil {
			return nil, fmt.Errorf("read attribute %s of %s: %w", name, path, err)
		}
		attrs[string(name)] = string(value[:n])
	}
	return attrs, nil
}
