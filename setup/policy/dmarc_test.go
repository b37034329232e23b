package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/policy"
)

func TestParseDMARC(t *testing.T) {
	for _, test := range []struct {
		text    string
		p, sp   policy.Disposition
		np      policy.Disposition
		remarks []policy.RemarkCode
	}{
		{"v=DMARC1; p=reject; rua=mailto:a@b.test", policy.Reject, "", "", nil},
		{"v = DMARC1 ; P=Quarantine; sp=NONE; np=reject; rua=mailto:a@b.test!10m,mailto:c@d.test;", policy.Quarantine, policy.None, policy.Reject, nil},
		{"v=DMARC1; rua=mailto:a@b.test", policy.None, "", "", []policy.RemarkCode{policy.DMARCNoPolicy}},
		{"v=DMARC1", policy.None, "", "", []policy.RemarkCode{policy.DMARCNoPolicy, policy.DMARCNoReports}},
		{"v=DMARC1; p=monitor; rua=mailto:a@b.test", policy.None, "", "", []policy.RemarkCode{policy.DMARCBadPolicy}},
		{"v=DMARC1; p=reject; sp=x; rua=mailto:a@b.test", policy.None, "", "", []policy.RemarkCode{policy.DMARCBadPolicy}},
		{"v=DMARC1; p=reject; pct=50; rf=afrf; ri=3600; rua=mailto:a@b.test", policy.Reject, "", "", []policy.RemarkCode{policy.DMARCRemovedTag, policy.DMARCRemovedTag, policy.DMARCRemovedTag}},
		{"v=DMARC1; p=reject; t=y; psd=maybe; new=1; rua=https://b.test", policy.Reject, "", "",
			[]policy.RemarkCode{policy.DMARCBadTag, policy.DMARCUnknownTag, policy.DMARCBadReport, policy.DMARCNoReports, policy.DMARCTesting}},
	} {
		d, err := policy.ParseDMARC(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		var got []policy.RemarkCode
		for _, r := range d.Remarks {
			got = append(got, r.Code)
		}
		if d.Policy != test.p || d.Sub != test.sp || d.NonExistent != test.np || !slices.Equal(got, test.remarks) {
			t.Errorf("%q: %+v", test.text, d)
		}
	}
	d, err := policy.ParseDMARC("v=DMARC1; p=none; adkim=S; aspf=r; fo=1:d; psd=n; rua=mailto:a%2Bb@c.test!5k, mailto:d@e.test; ruf=mailto:f@g.test")
	if err != nil || !d.StrictDKIM || d.StrictSPF || d.PSD != 'n' || !slices.Equal(d.Aggregate, []string{"a+b@c.test", "d@e.test"}) || !slices.Equal(d.Failure, []string{"f@g.test"}) {
		t.Errorf("%+v, %v", d, err)
	}
	for _, bad := range []string{"", "v=DMARC2; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC1 p=none", "v=DMARC1; p=none; p=reject", "v=DMARC1; =x", "v=spf1 -all"} {
		if _, err := policy.ParseDMARC(bad); err == nil || postern.KindOf(err) != postern.Invalid {
			t.Errorf("%q: %v, want Invalid", bad, err)
		}
	}
}

func dmarcWorld() *world {
	return &world{
		txt: map[string][]string{
			"_dmarc.own.org.test": {"v=DMARC1; p=reject"}, "_dmarc.org.test": {"hello", "v=DMARC1; p=quarantine; sp=none; np=reject"},
			"_dmarc.plain.test": {"v=DMARC1; p=reject"}, "_dmarc.trial.test": {"v=DMARC1; p=reject; t=y"},
			"_dmarc.two.plain.test": {"v=DMARC1; p=none", "v=DMARC1; p=reject"},
			"_dmarc.gov.psd":        {"v=DMARC1; p=reject; psd=y"}, "_dmarc.city.gov.psd": {"v=DMARC1; p=none"},
			"_dmarc.branch.corp.test": {"v=DMARC1; p=quarantine; psd=n"}, "_dmarc.corp.test": {"v=DMARC1; p=reject"},
			"_dmarc.broken.plain.test": {"v=DMARC1; p=none; p=none"},
			"sub.org.test":             {"exists"}, "mail.plain.test": {"x"}, "two.plain.test": {"x"}, "broken.plain.test": {"x"}, "a.trial.test": {"x"},
			"x.branch.corp.test": {"x"}, "other.corp.test": {"x"}, "town.gov.psd": {"x"}, "www.city.gov.psd": {"x"},
			"plain.test._report._dmarc.reports.test": {"v=DMARC1;"}, "*.x": {"x"},
		},
		fail: map[string]bool{"_dmarc.silent.test": true},
	}
}

func TestEvaluateDMARC(t *testing.T) {
	for _, test := range []struct {
		domain, at, organisation string
		effective                policy.Disposition
		asked                    int
	}{
		{"own.org.test", "own.org.test", "org.test", policy.Reject, 3},
		{"Sub.Org.Test.", "org.test", "org.test", policy.None, 3},    // sp
		{"never.org.test", "org.test", "org.test", policy.Reject, 3}, // np: there is no such name
		{"org.test", "org.test", "org.test", policy.Quarantine, 2},
		{"mail.plain.test", "plain.test", "plain.test", policy.Reject, 3},
		{"never.plain.test", "plain.test", "plain.test", policy.Reject, 3},
		{"trial.test", "trial.test", "trial.test", policy.Quarantine, 2}, // t=y: one step lower
		{"two.plain.test", "plain.test", "plain.test", policy.Reject, 3},
		{"broken.plain.test", "plain.test", "plain.test", policy.Reject, 3},
		{"x.branch.corp.test", "branch.corp.test", "branch.corp.test", policy.Quarantine, 2}, // psd=n ends the walk
		{"other.corp.test", "corp.test", "corp.test", policy.Reject, 3},
		{"town.gov.psd", "gov.psd", "town.gov.psd", policy.Reject, 2}, // the public suffix's own policy
		{"www.city.gov.psd", "city.gov.psd", "city.gov.psd", policy.None, 3},
		{"gov.psd", "gov.psd", "gov.psd", policy.Reject, 1},
		{"nobody.example", "", "nobody.example", "", 2},
		{"a.b.c.d.e.f.g.h.i.j.plain.test", "plain.test", "plain.test", policy.Reject, 8},
	} {
		r, err := policy.EvaluateDMARC(t.Context(), dmarcWorld(), test.domain)
		if err != nil || r.At != test.at || r.Organisation != test.organisation || r.Effective != test.effective || len(r.Asked) != test.asked {
			t.Errorf("%s: %+v, %v", test.domain, r, err)
		}
	}
	r, _ := policy.EvaluateDMARC(t.Context(), dmarcWorld(), "two.plain.test")
	if !slices.Equal(r.Several, []string{"two.plain.test"}) {
		t.Errorf("several: %v", r.Several)
	}
	r, _ = policy.EvaluateDMARC(t.Context(), dmarcWorld(), "broken.plain.test")
	if !slices.Equal(r.Broken, []string{"broken.plain.test"}) {
		t.Errorf("broken: %v", r.Broken)
	}
	deep := "a.b.c.d.e.f.g.h.i.j.plain.test"
	r, _ = policy.EvaluateDMARC(t.Context(), dmarcWorld(), deep)
	if r.Asked[0] != "_dmarc."+deep || r.Asked[1] != "_dmarc.f.g.h.i.j.plain.test" || strings.Count(r.Asked[1], ".") != 7 {
		t.Errorf("a long name: %v", r.Asked)
	}
	if _, err := policy.EvaluateDMARC(t.Context(), dmarcWorld(), "mail.silent.test"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("%v, want Temporary", err)
	}
}

func TestAligned(t *testing.T) {
	for _, test := range []struct {
		from, other   string
		strict, equal bool
	}{
		{"mail.plain.test", "plain.test", false, true},
		{"Mail.Plain.test", "other.plain.test.", false, true},
		{"mail.plain.test", "plain.test", true, false},
		{"plain.test", "plain.test", true, true},
		{"mail.plain.test", "corp.test", false, false},
		{"x.branch.corp.test", "other.corp.test", false, false}, // psd=n cuts the branch off
		{"town.gov.psd", "www.city.gov.psd", false, false},
	} {
		got, err := policy.Aligned(t.Context(), dmarcWorld(), test.from, test.other, test.strict)
		if err != nil || got != test.equal {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
}

func TestReportsWelcome(t *testing.T) {
	for address, want := range map[string]bool{"a@plain.test": true, "a@mail.plain.test": true, "a@Reports.test": true, "a@corp.test": false} {
		got, err := policy.ReportsWelcome(t.Context(), dmarcWorld(), "plain.test", address)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
	if _, err := policy.ReportsWelcome(t.Context(), dmarcWorld(), "plain.test", "nobody"); postern.KindOf(err) != postern.Invalid {
		t.Errorf("%v", err)
	}
}
