package letter

import (
	"strings"
)

const maxContainers = 20 // nested envelopes opened in one mail

// unpack reads a container into memory, nil if the limits forbid it.
func (rd *reader) unpack(p *part) ([]byte, error) {
	size := p.end - p.start
	if rd.containers >= maxContainers || rd.unpacked+size > rd.lim.Unpacked {
		rd.msg.problem(ProblemUnpack, p, "container beyond the limit left closed")
		return nil, nil
	}
	rd.containers++
	rd.unpacked += size
	raw, err := p.src.bytes(p.start, p.end, size)
	if err != nil {
		return nil, err
	}
	return decodeTransfer(raw, p.encoding), nil
}

// nested reads a MIME entity that was found within a container. Its limits count anew, as containers are few.
func (rd *reader) nested(p *part, inner []byte) (content, error) {
	before := len(rd.msg.Problems)
	root, err := scan(memorySource(inner), rd.msg, rd.lim)
	if _, limited := err.(*LimitError); err != nil && !limited {
		return content{}, err
	}
	if err != nil {
		rd.msg.problem(ProblemLimit, p, "%v", err)
	}
	for i := before; i < len(rd.msg.Problems); i++ {
		rd.msg.Problems[i].Part = strings.Trim(p.path+"."+rd.msg.Problems[i].Part, ".")
	}
	rebase(root, p)
	return rd.collect(root)
}

// rebase numbers the parts of a container below it.
func rebase(q, under *part) {
	q.path = strings.Trim(under.path+".0."+q.path, ".")
	for _, c := range q.children {
		rebase(c, under)
	}
}

func tnefPart(p *part) bool {
	switch p.mediaType {
	case "application/ms-tnef", "application/vnd.ms-tnef", "application/x-ms-tnef":
		return true
	}
	return strings.EqualFold(p.filename(), "winmail.dat")
}

// openTNEF lists the files of a winmail.dat, and keeps its body for a mail that has no other.
func (rd *reader) openTNEF(p *part, a *Attachment) error {
	data, err := rd.unpack(p)
	if err != nil || data == nil {
		return err
	}
	t, ok := parseTNEF(data, 0)
	if !ok {
		rd.msg.problem(ProblemUnpack, p, "winmail.dat cannot be read")
		return nil
	}
	a.Role = RoleContainer
	if rd.spare.text == "" && rd.spare.html == "" {
		rd.spare = run{text: t.text, html: t.html, hasT: t.text != "", hasH: t.html != ""}
	}
	for _, f := range t.files {
		rd.msg.Attachments = append(rd.msg.Attachments, &Attachment{
			Name: f.name, ContentType: f.mediaType, ContentID: f.cid, Inline: f.cid != "", Role: fileRole(f.cid),
			Size: int64(len(f.data)), Place: -1, data: f.data,
		})
	}
	if t.partial {
		rd.msg.problem(ProblemUnpack, p, "winmail.dat ends early")
	}
	return nil
}

func fileRole(cid string) Role {
	if cid != "" {
		return RoleInline
	}
	return RoleFile
}
