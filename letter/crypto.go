package letter

import (
	"strings"

	"github.com/smallstep/pkcs7"
)

// Crypto says how a mail is signed or encrypted. No signature is verified here: a signer's name is what the mail claims.
type Crypto struct {
	Kind      string // "smime" or "pgp"
	Form      string // "detached" (multipart/signed), "opaque" (within a CMS envelope), "inline" (armour within the text), "mime" (multipart/encrypted)
	Signed    bool
	Encrypted bool     // the content cannot be read: Text and HTML hold only what stands outside of it
	Signers   []string // common names in the certificates of an opaque S/MIME signature
}

func (rd *reader) crypto(kind, form string) *Crypto {
	if rd.msg.Crypto == nil {
		rd.msg.Crypto = &Crypto{Kind: kind, Form: form}
	}
	return rd.msg.Crypto
}

// cryptoMultipart notes multipart/signed and multipart/encrypted (RFC 1847, 3156, 8551).
func (rd *reader) cryptoMultipart(p *part) {
	protocol := strings.ToLower(p.params.get("protocol"))
	for _, c := range p.children {
		protocol += " " + c.mediaType
	}
	kind := "pgp"
	if strings.Contains(protocol, "pkcs7") {
		kind = "smime"
	}
	switch p.mediaType {
	case "multipart/signed":
		rd.crypto(kind, "detached").Signed = true
	case "multipart/encrypted":
		rd.crypto(kind, "mime").Encrypted = true
	}
}

func smimePart(p *part) bool {
	switch p.mediaType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return true
	case "application/octet-stream":
		name := strings.ToLower(p.filename())
		return name == "smime.p7m" || name == "smime.p7z"
	}
	return false
}

// openSMIME shows the content of an opaque-signed entity (RFC 8551 section 3.5.2), and reports an encrypted one.
func (rd *reader) openSMIME(p *part, a *Attachment) (content, error) {
	if strings.Contains(strings.ToLower(p.params.get("smime-type")), "enveloped") {
		rd.crypto("smime", "opaque").Encrypted = true
		a.Role = RoleCipher
		return content{}, nil
	}
	data, err := rd.unpack(p)
	if err != nil || data == nil {
		return content{}, err
	}
	inner, signers, kind := openCMS(data)
	switch kind {
	case cmsEncrypted:
		rd.crypto("smime", "opaque").Encrypted = true
		a.Role = RoleCipher
		return content{}, nil
	case cmsBroken:
		rd.msg.problem(ProblemUnpack, p, "S/MIME envelope cannot be read")
		return content{}, nil
	}
	c := rd.crypto("smime", "opaque")
	c.Signed = true
	c.Signers = append(c.Signers, signers...)
	a.Role = RoleContainer
	return rd.nested(p, inner)
}

type cmsKind int

const (
	cmsBroken cmsKind = iota
	cmsSigned
	cmsEncrypted
)

// openCMS takes the signed content out of a CMS structure. The library recurses and may panic on hostile input, so the
// nesting is measured first.
func openCMS(data []byte) (inner []byte, signers []string, kind cmsKind) {
	defer func() {
		if recover() != nil {
			inner, signers, kind = nil, nil, cmsBroken
		}
	}()
	oid := contentOID(data)
	if oid == oidEnveloped || oid == oidAuthEnveloped || oid == oidEncrypted {
		return nil, nil, cmsEncrypted
	}
	if oid != oidSigned || !shallowBER(data) {
		return nil, nil, cmsBroken
	}
	p7, err := pkcs7.Parse(data)
	if err != nil || len(p7.Content) == 0 {
		return nil, nil, cmsBroken
	}
	for _, cert := range p7.Certificates {
		if name := cleanUTF8(cert.Subject.CommonName); name != "" && !cert.IsCA && len(signers) < 10 {
			signers = append(signers, clip(name, 200))
		}
	}
	return p7.Content, signers, cmsSigned
}

// Content types of RFC 5652 and 5083 in DER, without the tag.
const (
	oidSigned        = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
	oidEnveloped     = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
	oidEncrypted     = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06"
	oidAuthEnveloped = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"
)

// contentOID reads the type of a ContentInfo.
func contentOID(data []byte) string {
	_, _, body, ok := berHead(data)
	if !ok || data[0] != 0x30 {
		return ""
	}
	rest := data[body:]
	_, n, body, ok := berHead(rest)
	if !ok || rest[0] != 0x06 || n < 0 || body+n > len(rest) {
		return ""
	}
	return string(rest[body : body+n])
}

// berHead reads tag and length; n is -1 for the indefinite form.
func berHead(b []byte) (constructed bool, n, body int, ok bool) {
	if len(b) < 2 {
		return false, 0, 0, false
	}
	constructed = b[0]&0x20 != 0
	i := 1
	if b[0]&0x1f == 0x1f {
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		i++
	}
	if i >= len(b) {
		return false, 0, 0, false
	}
	l := int(b[i])
	i++
	switch {
	case l == 0x80:
		return constructed, -1, i, true
	case l > 0x80:
		count := l & 0x7f
		if count > 4 || i+count > len(b) {
			return false, 0, 0, false
		}
		l = 0
		for _, c := range b[i : i+count] {
			l = l<<8 | int(c)
		}
		i += count
	}
	return constructed, l, i, true
}

// shallowBER walks the structure without recursion and refuses nesting that no signed mail has.
func shallowBER(b []byte) bool {
	const maxDepth = 40
	var ends []int // where open constructed values end, -1 for the indefinite form
	for i := 0; i < len(b); {
		for len(ends) > 0 && ends[len(ends)-1] == i {
			ends = ends[:len(ends)-1]
		}
		if len(ends) > 0 && ends[len(ends)-1] < 0 && i+1 < len(b) && b[i] == 0 && b[i+1] == 0 {
			ends = ends[:len(ends)-1]
			i += 2
			continue
		}
		if len(ends) == 0 && i > 0 {
			return true // trailing bytes
		}
		constructed, n, body, ok := berHead(b[i:])
		if !ok || n >= 0 && i+body+n > len(b) {
			return false
		}
		i += body
		switch {
		case constructed && n < 0:
			ends = append(ends, -1)
		case constructed:
			ends = append(ends, i+n)
		case n < 0:
			return false
		default:
			i += n
		}
		if len(ends) > maxDepth {
			return false
		}
	}
	return true
}

const (
	armourSigned    = "-----BEGIN PGP SIGNED MESSAGE-----"
	armourSignature = "-----BEGIN PGP SIGNATURE-----"
	armourEnd       = "-----END PGP SIGNATURE-----"
	armourMessage   = "-----BEGIN PGP MESSAGE-----"
)

// clearsigned takes the cleartext signature framework (RFC 9580 section 7) off a text; what stands around it is kept.
func (rd *reader) clearsigned(text string) string {
	if i := strings.Index(text, armourMessage); i == 0 || i > 0 && text[i-1] == '\n' {
		rd.crypto("pgp", "inline").Encrypted = true
	}
	start := strings.Index(text, armourSigned)
	if start < 0 || start > 0 && text[start-1] != '\n' {
		return text
	}
	body := text[start+len(armourSigned):]
	blank := strings.Index(body, "\n\n") // armour headers end at a blank line
	sig := strings.Index(body, "\n"+armourSignature)
	if blank < 0 || sig < 0 || blank > sig {
		return text
	}
	rest := ""
	if end := strings.Index(body[sig:], armourEnd); end >= 0 {
		rest = strings.TrimLeft(body[sig+end+len(armourEnd):], "\n")
	}
	rd.crypto("pgp", "inline").Signed = true
	var b strings.Builder
	b.WriteString(text[:start])
	for line := range strings.SplitAfterSeq(body[min(blank+2, sig):sig], "\n") {
		b.WriteString(strings.TrimPrefix(line, "- "))
	}
	b.WriteByte('\n')
	b.WriteString(rest)
	return b.String()
}
