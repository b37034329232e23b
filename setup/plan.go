package setup

import (
	"github.com/postern-chat/postern"
)

// Group is what one Part says is to be done.
type Group struct {
	Part    string
	Changes []postern.Change
	// Note stands instead of changes that cannot be known yet.
	Note string
	// Err: the Part could not be read, so nothing of it is done.
	Err error
}

// Plan is what all Parts say, in the order in which the operator reads it.
type Plan []Group

// Count tells how many lines bear a sign.
func (p Plan) Count(sign postern.Sign) int {
	n := 0
	for _, g := range p {
		for _, c := range g.Changes {
			if c.Sign == sign {
				n++
			}
		}
	}
	return n
}

// Work tells whether there is anything to do, by us or by hand, or may come to be.
func (p Plan) Work() bool {
	for _, g := range p {
		if g.Note != "" {
			return true
		}
	}
	return p.Count(postern.Add)+p.Count(postern.Alter)+p.Count(postern.Remove) > 0
}

// Trouble tells whether an operator has to decide something, or a Part could not be read.
func (p Plan) Trouble() bool {
	for _, g := range p {
		if g.Err != nil {
			return true
		}
	}
	return p.Count(postern.Conflict) > 0
}

// group finds what a Part says; nil if it is not in the plan.
func (p Plan) group(part string) *Group {
	for i := range p {
		if p[i].Part == part {
			return &p[i]
		}
	}
	return nil
}
