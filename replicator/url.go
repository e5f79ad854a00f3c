package replicator

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// RedactURL is a node's URL without what may be secret: user, query and fragment (which hold tokens and pins). It is what status, logs
// and errors show.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an unreadable URL" // never the text itself: it may hold a token
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// placeOf is equal for two URLs of the same place, whatever their tokens.
func placeOf(raw string) string {
	u, err := url.Parse(RedactURL(raw))
	if err != nil {
		return raw
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/")
}

// baseName makes a name for people from a URL: the last element of a directory's path, or the host.
func baseName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "node"
	}
	text := u.Hostname()
	if text == "" {
		p := u.Path
		if p == "" {
			p = u.Opaque
		}
		text = path.Base(p)
	}
	text = strings.Trim(strings.Map(nameRune, strings.ToLower(text)), "-.")
	if text == "" {
		return "node"
	}
	return text
}

func nameRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
		return r
	}
	return '-'
}

// plural picks the form for n; the one with %d gets it.
func plural(n int, one, many string) string {
	form := many
	if n == 1 {
		form = one
	}
	if strings.Contains(form, "%d") {
		return fmt.Sprintf(form, n)
	}
	return form
}
