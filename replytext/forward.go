package replytext

import "strings"

// forward reads the forwarded mail's headers and text, if there is one.
func (d *doc) forward() *Forward {
	i := 0
	for i < len(d.lines) && d.lines[i].kind != Forwarded {
		i++
	}
	if i == len(d.lines) {
		return nil
	}
	end := i
	for end < len(d.lines) && d.lines[end].kind == Forwarded {
		end++
	}
	f := &Forward{}
	j := d.nextText(i)
	if _, ok := d.headerOnly(j); !ok {
		j = d.nextText(i + 1) // the title stands first
	}
	if j < end {
		if b, ok := d.headerOnly(j); ok {
			f.readHeader(d, j, b.last)
			j = b.last + 1
		}
	}
	if j < end {
		f.Text = d.unquote(j, end)
	}
	return f
}

// forwardPrefixes are what mail programs put before a forwarded mail's subject.
var forwardPrefixes = map[string]bool{
	"fw": true, "fwd": true, "wg": true, "tr": true, "rv": true, "enc": true, "res-enc": true, "i": true, "vb": true, "vl": true, "doorst": true, "fs": true,
	"pd": true, "podaj dalej": true, "przek": true, "peresl": true, "пересл": true, "ilt": true, "iletildi": true, "πρθ": true, "προωθ": true, "tov": true,
	"tovabbitas": true, "転送": true, "转发": true, "轉寄": true, "转": true, "전달": true, "اعادة توجيه": true, "הועבר": true,
}

// isForwardSubject tells whether a subject's first prefix is a forward's.
func isForwardSubject(subject string) bool {
	f := strings.TrimLeft(fold(subject), " [(")
	c := strings.IndexByte(f, ':')
	return c > 0 && c < 40 && forwardPrefixes[strings.Trim(f[:c], " ])")]
}

// readHeader takes the values of a header block from line i to line last.
func (f *Forward) readHeader(d *doc, i, last int) {
	var into *string
	for ; i <= last; i++ {
		l := &d.lines[i]
		if l.blank() {
			continue
		}
		k := l.label
		text := d.text(i)
		if k == fieldNone {
			if into != nil {
				*into += " " + strings.Trim(text, " \t*_\u00a0")
			}
			continue
		}
		if c := strings.IndexAny(text, ":："); c >= 0 {
			text = strings.TrimPrefix(strings.TrimPrefix(text[c:], ":"), "：")
		}
		into = f.field(k)
		if into != nil && *into == "" {
			*into = strings.Trim(text, " \t*_\u00a0")
		}
	}
}

func (f *Forward) field(k field) *string {
	switch k {
	case fieldFrom:
		return &f.From
	case fieldSent:
		return &f.Date
	case fieldTo:
		return &f.To
	case fieldSubject:
		return &f.Subject
	}
	return nil
}
