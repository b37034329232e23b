package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
)

func samplePlan() Plan {
	return Plan{
		{Part: "Mail", Changes: []postern.Change{
			{Key: "a", Sign: postern.Add, Title: "route", Want: "here"},
			{Key: "b", Sign: postern.Alter, Title: "clicks", Is: "yes", Want: "no", Why: "because " + strings.Repeat("word ", 20)},
			{Key: "c", Sign: postern.Alter, Title: "long", Is: strings.Repeat("a", 60), Want: strings.Repeat("b", 60)},
			{Key: "d", Sign: postern.Keep, Title: "kept", Is: "so", Want: "so"},
			{Key: "e", Sign: postern.Remove, Title: "old", Is: "there"},
			{Key: "f", Sign: postern.Conflict, Title: "trick\x1b[2J\u202e", Is: "x\ny", Want: "z", Why: "decide"},
		}},
		{Part: "DNS", Note: "later"},
		{Part: "Chat", Err: errors.New("no key")},
	}
}

func TestText(t *testing.T) {
	want := `Mail
  + route       here
  ~ clicks      yes -> no
      because word word word word word word word word word word word word word word word word
      word word word word
  ~ long        ` + strings.Repeat("a", 60) + `
             -> ` + strings.Repeat("b", 60) + `
  = kept        so
  - old         there
  ! trick?[2J?  x?y -> z
      decide

DNS
  ? later

Chat
  ! cannot be read: no key

Plan: 1 to add, 2 to change, 1 to remove, 1 as they should be, 1 for you to decide.
`
	if have := samplePlan().Text(); have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
}

func TestScreen(t *testing.T) {
	var out, notes bytes.Buffer
	s := &Screen{Out: &out, Notes: &notes}
	s.Progress("reading Mail")
	s.Progress("Mail does not see yet: MX")
	s.Progress("Mail does not see yet: MX")
	s.Progress("")
	s.Done("Mail", postern.Change{Sign: postern.Add, Title: "x"}, nil)
	s.Done("Mail", postern.Change{Sign: postern.Add, Title: "y"}, changed("mg.example.com"))
	if notes.String() != "waiting: Mail does not see yet: MX\n" {
		t.Errorf("notes %q", &notes)
	}
	if have := out.String(); !strings.HasPrefix(have, "done    + Mail: x\nfailed  + Mail: y: ") || !strings.HasSuffix(have, "; it is left as it is\n") {
		t.Errorf("out %q", have)
	}
	notes.Reset()
	s.Live = true
	s.Progress("reading Mail")
	s.Progress("")
	s.Progress("")
	if notes.String() != "\r\x1b[Kreading Mail ...\r\x1b[K" {
		t.Errorf("live notes %q", &notes)
	}
}

func TestRecorder(t *testing.T) {
	r := &Recorder{Talk: &fakeTalk{}}
	r.Plan(samplePlan())
	r.Plan(Plan{{Part: "DNS", Changes: []postern.Change{{Key: "g", Sign: postern.Add, Title: "<mx>"}}}})
	r.Done("DNS", postern.Change{Key: "g", Sign: postern.Add}, errors.New("no"))
	var out bytes.Buffer
	if err := r.Write(&out, &Outcome{Failed: 1, Waiting: []string{"MX"}}); err != nil {
		t.Fatal(err)
	}
	var rep struct {
		Parts []struct {
			Name, Note, Error string
			Changes           []map[string]string
		}
		Applied  []map[string]string
		Waiting  []string
		Complete *bool
	}
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatal(err, out.String())
	}
	if len(rep.Parts) != 3 || rep.Parts[1].Note != "" || rep.Parts[1].Changes[0]["title"] != "<mx>" || rep.Parts[2].Error != "no key" ||
		rep.Parts[0].Changes[5]["sign"] != "!" || rep.Applied[0]["error"] != "no" || rep.Complete == nil || *rep.Complete {
		t.Errorf("%s", &out)
	}
}
