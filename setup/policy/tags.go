package policy

import "strings"

// maxTags and maxTagText bound what strangers publish.
const (
	maxTags    = 64
	maxTagText = 16 << 10
)

// tag is one tag=value.
type tag struct{ name, value string }

// parseTags reads a tag list (RFC 6376 section 3.2): tags apart by semicolons, white space
// around them and within values without meaning to us, no name twice.
func parseTags(text string) ([]tag, error) {
	if len(text) > maxTagText {
		return nil, invalid("longer than %d bytes", maxTagText)
	}
	var tags []tag
	parts := strings.Split(text, ";")
	for i, part := range parts {
		part = strings.Trim(part, " \t\r\n")
		if part == "" {
			if i == len(parts)-1 && i > 0 {
				break // a semicolon may stand at the end
			}
			return nil, invalid("an empty tag")
		}
		name, value, is := strings.Cut(part, "=")
		name, value = strings.TrimRight(name, " \t\r\n"), strings.TrimLeft(value, " \t\r\n")
		if !is || !isTagName(name) {
			return nil, invalid("%.40q is no tag", part)
		}
		for _, t := range tags {
			if t.name == name {
				return nil, invalid("%s= stands twice", name)
			}
		}
		if tags = append(tags, tag{name, value}); len(tags) > maxTags {
			return nil, invalid("more than %d tags", maxTags)
		}
	}
	return tags, nil
}

func isTagName(s string) bool {
	for i, b := range []byte(s) {
		if !isAlpha(b) && (i == 0 || !isDigit(b) && b != '_') {
			return false
		}
	}
	return s != ""
}

// list splits a value at a separator, without white space and empty entries.
func list(value, sep string) []string {
	var l []string
	for s := range strings.SplitSeq(value, sep) {
		if s = strings.Trim(s, " \t\r\n"); s != "" {
			l = append(l, s)
		}
	}
	return l
}
