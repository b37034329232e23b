package page

import "strings"

// holds tells whether a note is about mail that waits for an operator.
func holds(n note) bool {
	switch n.What {
	case "held", "released", "discarded":
		return true
	}
	return false
}

type decision struct {
	text, tone string
	minor      bool
}

// decisions are the gateway's words in plain ones; %s is the person.
func decisions() map[string]decision {
	return map[string]decision{
		"to be mailed":        {text: "%s is away: this goes out as a mail"},
		"mailed":              {text: "Mailgun has the mail to %s"},
		"put off":             {text: "the mail to %s is tried again later"},
		"to be mailed anew":   {text: "the mail to %s is written anew"},
		"unsure":              {text: "perhaps the mail to %s went out: asks before it repeats it", tone: held},
		"repeated":            {text: "the mail to %s is sent again"},
		"not mailed":          {text: "no mail to %s"},
		"delivered":           {text: "Mailgun says: delivered to %s", minor: true},
		"marked delivered":    {text: "marked as delivered to %s", tone: good},
		"opened":              {text: "Mailgun says: %s opened it", minor: true},
		"opened by a machine": {text: "a machine opened the mail to %s: that is not reading"},
		"marked read":         {text: "marked as read by %s", tone: good},
		"mark held":           {text: "no mark for %s yet"},
		"not marked":          {text: "could not mark for %s", tone: bad},
		"to be posted":        {text: "found %s’s own words in the mail"},
		"posted":              {text: "%s’s answer stands in the chat", tone: good},
		"not posted":          {text: "not posted in the chat"},
		"held":                {text: "the mail is held, not posted", tone: held},
		"refused":             {text: "the mail is refused", tone: held},
		"released":            {text: "a held mail was let in by an operator", tone: good},
		"discarded":           {text: "a held mail was thrown away by an operator"},
		"failed":              {text: "the mail to %s could not be delivered", tone: bad},
		"complained":          {text: "%s called it spam", tone: bad},
		"unsubscribed":        {text: "%s wants no more mail"},
		"stopped":             {text: "%s is not written to any more", tone: held},
		"given up":            {text: "gave up", tone: bad},
		"event ignored":       {text: "nothing to do for this event", minor: true},
	}
}

// noteLine is a note of the gateway as a line. Words that are not known here stand as
// they are.
func noteLine(n note, who names) Line {
	l := Line{At: n.At.UnixMilli(), Who: fromGateway, Text: n.What, More: n.Why, Ref: n.Ref}
	if d, ok := decisions()[n.What]; ok {
		name := who.user(n.User)
		switch {
		case n.User == "" && n.What == "posted":
			d.text = "a line of the gateway’s own stands in the chat"
		case n.User == "":
			name = "anybody"
		}
		l.Text, l.Tone, l.Minor = strings.ReplaceAll(d.text, "%s", name), d.tone, d.minor
	}
	if d := strings.TrimSpace(n.Detail); d != "" {
		for id, name := range who.byID {
			d = strings.ReplaceAll(d, id+": ", name+" is ")
		}
		if l.More == "nobody to mail to" {
			l.More = d
		} else if l.More == "" {
			l.More = d
		} else {
			l.More += " (" + d + ")"
		}
	}
	return l
}
