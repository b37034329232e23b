package setup

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/postern-chat/postern"
)

// The forms of the machine-readable report; names are stable.
type (
	reportJSON struct {
		Parts []groupJSON `json:"parts"`
		// Applied is absent if nothing was tried.
		Applied  []appliedJSON `json:"applied,omitempty"`
		Waiting  []string      `json:"waiting,omitempty"`
		Held     []string      `json:"held,omitempty"`
		Complete bool          `json:"complete"`
	}
	groupJSON struct {
		Name    string       `json:"name"`
		Note    string       `json:"note,omitempty"`
		Error   string       `json:"error,omitempty"`
		Changes []changeJSON `json:"changes"`
	}
	changeJSON struct {
		Key   string       `json:"key"`
		Sign  postern.Sign `json:"sign"`
		Title string       `json:"title"`
		Is    string       `json:"is,omitempty"`
		Want  string       `json:"want,omitempty"`
		Why   string       `json:"why,omitempty"`
	}
	appliedJSON struct {
		Part  string       `json:"part"`
		Key   string       `json:"key"`
		Sign  postern.Sign `json:"sign"`
		Error string       `json:"error,omitempty"`
	}
)

// Recorder is a Talk that keeps what it is told for one report in JSON. What is waited
// for, and questions, go to another Talk.
type Recorder struct {
	Talk
	plan    Plan
	applied []appliedJSON
}

// Plan keeps a plan; a Part that is planned anew takes the place of what it said before.
func (r *Recorder) Plan(p Plan) {
	for _, g := range p {
		if i := slices.IndexFunc(r.plan, func(o Group) bool { return o.Part == g.Part }); i >= 0 {
			r.plan[i] = g
		} else {
			r.plan = append(r.plan, g)
		}
	}
}

// Done keeps what became of a change.
func (r *Recorder) Done(part string, c postern.Change, err error) {
	a := appliedJSON{Part: part, Key: c.Key, Sign: c.Sign}
	if err != nil {
		a.Error = err.Error()
	}
	r.applied = append(r.applied, a)
}

// Write writes the report; o is nil if nothing was to be carried out.
func (r *Recorder) Write(w io.Writer, o *Outcome) error {
	rep := reportJSON{Parts: []groupJSON{}, Applied: r.applied, Complete: !r.plan.Work() && !r.plan.Trouble()}
	if o != nil {
		rep.Waiting, rep.Held, rep.Complete = o.Waiting, o.Held, o.Complete()
	}
	for _, g := range r.plan {
		j := groupJSON{Name: g.Part, Note: g.Note, Changes: []changeJSON{}}
		if g.Err != nil {
			j.Error = g.Err.Error()
		}
		for _, c := range g.Changes {
			j.Changes = append(j.Changes, changeJSON{c.Key, c.Sign, c.Title, c.Is, c.Want, c.Why})
		}
		rep.Parts = append(rep.Parts, j)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(rep)
}
