package relay

import (
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

func parse(t *testing.T, fields ...string) *letter.Message {
	t.Helper()
	m, err := letter.ReadBytes([]byte(strings.Join(fields, "\r\n")+"\r\n\r\nHello\r\n"), letter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSamePerson(t *testing.T) {
	for _, tt := range []struct {
		known, from string
		want        bool
	}{
		{"bob@people.example", "bob@people.example", true},
		{"bob@people.example", "Bob@People.Example", true},
		{"bob+shop@people.example", "bob@people.example", true},
		{"bob+shop@people.example", "bob+shop@people.example", true},
		{"bob+shop@people.example", "bob+other@people.example", false},
		{"bob@people.example", "bob+shop@people.example", false},
		{"+shop@people.example", "@people.example", false},
		{"bob@people.example", "bob@people.example.evil.example", false},
		{"bob@people.example", "bobby@people.example", false},
		{"bob@people.example", "", false},
		{"bob", "bob", true},
		{"", "bob@people.example", false},
	} {
		if got := samePerson(tt.known, tt.from); got != tt.want {
			t.Errorf("%q answers from %q: %t", tt.known, tt.from, got)
		}
	}
}

func TestForged(t *testing.T) {
	const dmarc, both = "DMARC fails", "SPF fails and no DKIM signature holds"
	for _, tt := range []struct {
		name   string
		v      postern.Verdict
		fields []string
		want   string
	}{
		{"nothing said", postern.Verdict{}, nil, ""},
		{"pass", postern.Verdict{SPF: "pass", DKIM: "pass"}, nil, ""},
		{"forwarded", postern.Verdict{SPF: "fail", DKIM: "pass"}, nil, ""},
		{"SPF fails, DKIM fails", postern.Verdict{SPF: "fail", DKIM: "fail"}, nil, both},
		{"SPF fails, no DKIM", postern.Verdict{SPF: "fail"}, nil, both},
		{"softfail", postern.Verdict{SPF: "softfail"}, nil, ""},
		{"DKIM fails alone", postern.Verdict{SPF: "neutral", DKIM: "fail"}, nil, ""},
		{"in the header", postern.Verdict{}, []string{"X-Mailgun-Spf: Fail", "X-Mailgun-Dkim-Check-Result: Fail"}, both},
		{"in the header, forwarded", postern.Verdict{}, []string{"X-Mailgun-Spf: Fail", "X-Mailgun-Dkim-Check-Result: Pass"}, ""},
		{"a pass of the writer's own, above", postern.Verdict{}, []string{"X-Mailgun-Dkim-Check-Result: Pass", "X-Mailgun-Spf: Fail", "X-Mailgun-Dkim-Check-Result: Fail"}, both},
		{"a pass of the writer's own, below", postern.Verdict{}, []string{"X-Mailgun-Spf: Fail", "x-mailgun-dkim-check-result: Fail", "X-Mailgun-Dkim-Check-Result: Pass"}, both},
		{"DMARC", postern.Verdict{}, []string{"Authentication-Results: mx.example; spf=pass; dmarc=fail (p=none) header.from=x"}, dmarc},
		{"DMARC, no space", postern.Verdict{}, []string{"Authentication-Results: mx.example; dmarc=fail(p=reject)"}, dmarc},
		{"DMARC, spelled large", postern.Verdict{}, []string{"Authentication-Results: mx.example;\r\n DMARC=FAIL"}, dmarc},
		{"DMARC passes", postern.Verdict{}, []string{"Authentication-Results: mx.example; dmarc=pass"}, ""},
		{"DMARC in a comment", postern.Verdict{}, []string{"Authentication-Results: mx.example; spf=pass (was; dmarc=fail)"}, ""},
		{"DMARC, further down", postern.Verdict{}, []string{"Authentication-Results: mx.example; dmarc=pass", "Authentication-Results: older.example; dmarc=fail"}, ""},
		{"no results", postern.Verdict{}, []string{"Authentication-Results: mx.example; none"}, ""},
	} {
		if got := forged(postern.Inbound{Verdicts: tt.v}, parse(t, append(tt.fields, "From: bob@people.example")...)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	participant := store.Participant{ID: 7, User: "bob"}
	bob := postern.Person{UserID: "bob", Email: bobsAddress}
	from := "From: Bob <" + bobsAddress + ">"
	// What becomes of it under hold, refuse and guest.
	tests := []struct {
		name   string
		fields []string
		to     store.Participant
		person postern.Person
		v      postern.Verdict
		want   [3]deed
		why    string
	}{
		{"his own", []string{from}, participant, bob, postern.Verdict{}, [3]deed{doPost, doPost, doPost}, ""},
		{"stopped, but he answers", []string{from}, participant, postern.Person{Email: bobsAddress, Stopped: postern.StopUnsubscribed}, postern.Verdict{}, [3]deed{doPost, doPost, doPost}, ""},
		{"somebody else's", []string{"From: eve@people.example"}, participant, bob, postern.Verdict{}, [3]deed{doHold, doRefuse, doGuest}, "somebody else"},
		{"two writers", []string{"From: " + bobsAddress + ", eve@people.example"}, participant, bob, postern.Verdict{}, [3]deed{doHold, doHold, doHold}, "no single writer"},
		{"no writer", []string{"To: x@y.example"}, participant, bob, postern.Verdict{}, [3]deed{doHold, doHold, doHold}, "no single writer"},
		{"forged", []string{from}, participant, bob, postern.Verdict{SPF: "fail"}, [3]deed{doHold, doHold, doHold}, "perhaps forged"},
		{"no such address", []string{from}, store.Participant{}, bob, postern.Verdict{}, [3]deed{doHold, doRefuse, doHold}, "no such reply address"},
		{"revoked", []string{from}, store.Participant{ID: 7, Revoked: true}, bob, postern.Verdict{}, [3]deed{doHold, doRefuse, doHold}, "revoked"},
		{"his address is not known", []string{from}, participant, postern.Person{}, postern.Verdict{}, [3]deed{doHold, doHold, doHold}, "no address of the participant"},
		{"out of office", []string{from, "Auto-Submitted: auto-replied"}, participant, bob, postern.Verdict{}, [3]deed{doNote, doNote, doNote}, "automatic mail"},
		{"a machine to nobody", []string{from, "Auto-Submitted: auto-replied"}, store.Participant{}, bob, postern.Verdict{}, [3]deed{doNote, doNote, doNote}, "automatic mail"},
		{"from a reply address", []string{"From: abc@" + strings.ToUpper(domain)}, participant, bob, postern.Verdict{}, [3]deed{doNote, doNote, doNote}, "our own mail"},
		{"ours among others", []string{"From: eve@people.example, abc@" + domain}, participant, bob, postern.Verdict{}, [3]deed{doNote, doNote, doNote}, "our own mail"},
	}
	for _, tt := range tests {
		for i, policy := range []Strangers{StrangersHold, StrangersRefuse, StrangersGuest} {
			r := &Rules{Config: Config{Domain: domain, Strangers: policy}}
			got := r.judge(postern.Inbound{Sender: bobsAddress, Verdicts: tt.v}, parse(t, tt.fields...), tt.to, tt.person)
			if got.do != tt.want[i] || !strings.Contains(got.why, tt.why) || (got.why == "") != (tt.why == "") {
				t.Errorf("%s, strangers %s: %d (%s), want %d (%s)", tt.name, policy, got.do, got.why, tt.want[i], tt.why)
			}
		}
	}
}
