package letter

import (
	"bytes"
	"io"
	"mime"
	"strings"
)

// Attachment is a part of the mail that is not the body.
type Attachment struct {
	Name        string // file name without any path; made up from the type if the mail names none
	ContentType string // lower case, without parameters
	ContentID   string // without angle brackets; what HTML refers to as cid:
	Inline      bool   // meant to be shown within the text, not listed below it
	Role        Role
	// Size is the number of decoded bytes, -1 if only reading tells. It is exact for well-formed parts.
	Size int64
	// Place is the byte offset in Message.Text where an inline part stood between texts, -1 if it has no place there.
	Place int
	// Header is the part's own header.
	Header Header

	part *part
	data []byte // content that was unpacked from a container
}

// Role says what an attachment is for, so that a caller can leave out what only programs read.
type Role string

// The roles.
const (
	RoleFile      Role = "file"      // something a person attached
	RoleInline    Role = "inline"    // an image or file within the text
	RoleMessage   Role = "message"   // a forwarded or returned message
	RoleCalendar  Role = "calendar"  // an invitation, also in Message.Calendar
	RoleSignature Role = "signature" // a detached signature or key
	RoleReport    Role = "report"    // the part of a bounce or receipt that programs read
	RoleContainer Role = "container" // winmail.dat or an S/MIME envelope whose content is listed too
	RoleCipher    Role = "cipher"    // encrypted content
	RoleText      Role = "text"      // the whole of a body text that exceeded Limits.Text
	RoleStray     Role = "stray"     // text after the last part of a multipart, which no mail program shows
	RoleOther     Role = "other"     // resource forks, reaction data and the like
)

// Open streams the decoded content. It may be called any number of times; memory does not grow with the size. Garbage in
// the encoding is passed over; errors are those of the source.
func (a *Attachment) Open() (io.ReadCloser, error) {
	if a.part == nil {
		return io.NopCloser(bytes.NewReader(a.data)), nil
	}
	return io.NopCloser(newTransferReader(a.part.src.reader(a.part.start, a.part.end), a.part.encoding)), nil
}

// newAttachment lists a part.
func (rd *reader) newAttachment(p *part) *Attachment {
	a := &Attachment{
		Name: p.filename(), ContentType: p.mediaType, ContentID: p.contentID(), Header: p.header,
		Place: -1, Size: p.decodedSize(), part: p,
	}
	a.Inline = p.disposition == "inline" || p.disposition != "attachment" && (a.ContentID != "" || p.is("image/"))
	a.Role = p.role(a.Inline)
	if a.Name == "" {
		a.Name = inventName(p)
	}
	rd.msg.Attachments = append(rd.msg.Attachments, a)
	return a
}

func (rd *reader) detach(a *Attachment) {
	list := rd.msg.Attachments
	for i := range list {
		if list[i] == a {
			rd.msg.Attachments = append(list[:i], list[i+1:]...)
			return
		}
	}
}

// attach lists a part that is no text, and reads it if it is of a kind that says more: a container, an invitation, a
// reaction. The body may come out of it; else it marks the place of the part.
func (rd *reader) attach(p *part) (content, error) {
	a := rd.newAttachment(p)
	here := content{runs: []run{{image: a}}}
	switch {
	case smimePart(p):
		return rd.openSMIME(p, a)
	case tnefPart(p):
		return here, rd.openTNEF(p, a)
	case calendarPart(p):
		a.Role = RoleCalendar
		return here, rd.readCalendar(p)
	case p.mediaType == "text/vnd.google.email-reaction+json":
		return here, rd.readReaction(p)
	case p.parent != nil && p.parent.mediaType == "multipart/encrypted":
		a.Role = RoleCipher
	}
	return here, nil
}

func (p *part) role(inline bool) Role {
	switch p.mediaType {
	case "message/rfc822", "message/global":
		return RoleMessage
	case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification", "message/feedback-report",
		"text/rfc822-headers", "message/global-headers":
		return RoleReport
	case "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-keys":
		return RoleSignature
	case "application/pgp-encrypted":
		return RoleCipher
	case "text/calendar", "application/ics":
		return RoleCalendar
	case "application/applefile", "text/vnd.google.email-reaction+json", "text/x-amp-html", "text/watch-html":
		return RoleOther
	}
	if inline {
		return RoleInline
	}
	return RoleFile
}

// decodedSize computes the size from what the scan counted.
func (p *part) decodedSize() int64 {
	n := p.end - p.start
	switch p.encoding {
	case "":
		return n
	case "base64":
		chars := n - p.eols
		return max(chars/4*3-int64(p.pads), 0)
	}
	return -1
}

func inventName(p *part) string {
	base := "attachment"
	switch {
	case p.is("image/"):
		base = "image"
	case p.is("message/rfc822"):
		base = "message"
	case p.is("text/calendar"):
		base = "invite"
	case p.is("text/"):
		base = "text"
	}
	if p.path != "" {
		base += "-" + p.path
	}
	return base + extension(p.mediaType)
}

// extension is a small table before the system's, so that names do not depend on the machine.
func extension(mediaType string) string {
	switch mediaType {
	case "text/plain":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/calendar", "application/ics":
		return ".ics"
	case "text/vcard", "text/x-vcard":
		return ".vcf"
	case "message/rfc822", "message/global":
		return ".eml"
	case "image/jpeg", "image/jpg", "image/pjpeg":
		return ".jpg"
	case "image/png", "image/x-png":
		return ".png"
	case "image/gif", "image/webp", "image/heic", "image/bmp", "image/tiff", "application/pdf", "application/zip":
		return "." + mediaType[strings.IndexByte(mediaType, '/')+1:]
	case "application/pgp-signature":
		return ".asc"
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
		return ".p7s"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return ".p7m"
	case "audio/mpeg":
		return ".mp3"
	case "video/mp4":
		return ".mp4"
	}
	if ext, err := mime.ExtensionsByType(mediaType); err == nil && len(ext) == 1 {
		return ext[0]
	}
	return ".bin"
}
