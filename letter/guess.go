package letter

// guess finds the charset of 8-bit text that names none of use.
func guess(b []byte, hint string) (text, used string) {
	if e := lookup(charsetLabel(hint)); e != nil {
		if t := decodeWith(e, b); !hasBad(t) {
			return t, charsetLabel(hint)
		}
	}
	return decodeWith(lookup("windows-1252"), b), "windows-1252"
}
