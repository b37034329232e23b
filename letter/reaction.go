package letter

import "encoding/json"

// Reaction is an emoji reaction sent as a mail of its own (Gmail's text/vnd.google.email-reaction+json).
type Reaction struct {
	Emoji  string
	Target string // Message-ID of the mail reacted to, from In-Reply-To
}

// readReaction reads {"version":1,"emoji":"..."}.
func (rd *reader) readReaction(p *part) error {
	raw, err := p.src.bytes(p.start, p.end, 4096)
	if err != nil {
		return err
	}
	var body struct {
		Emoji string `json:"emoji"`
	}
	if json.Unmarshal(decodeTransfer(raw, p.encoding), &body) != nil || body.Emoji == "" || len(body.Emoji) > 100 {
		rd.msg.problem(ProblemUnpack, p, "reaction cannot be read")
		return nil
	}
	rd.msg.Reaction = &Reaction{Emoji: cleanUTF8(body.Emoji)}
	if ids := rd.msg.InReplyTo; len(ids) > 0 {
		rd.msg.Reaction.Target = ids[0]
	}
	return nil
}
