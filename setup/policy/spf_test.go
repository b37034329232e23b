package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/policy"
)

func TestParseSPF(t *testing.T) {
	for _, good := range []string{
		"v=spf1", "V=SPF1 -ALL", "v=spf1   a  mx   -all ", "v=spf1 a:example.com/24//64 mx//96 ~all",
		"v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1 ip6:2001:db8::/32 ?all", "v=spf1 include:_spf.example.com. -all",
		"v=spf1 redirect=_spf.example.com", "v=spf1 exists:%{i}._spf.%{d2} -all", "v=spf1 include:%{d} exp=explain.%{d}",
		"v=spf1 unknown=whatever moo.cow-far_out=man:dog/cat -all", "v=spf1 ptr ptr:example.com", "v=spf1 a:%{d1r+-}/24 -all",
		"v=spf1 all=modifier -all", "v=spf1 ip6:::1 -all", "v=spf1 a/0//0",
	} {
		if _, err := policy.ParseSPF(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "v=spf10 -all", "v=spf1-all", "v=spf2.0/pra -all", "v=spf1 include", "v=spf1 include:", "v=spf1 include:localhost",
		"v=spf1 -all:x", "v=spf1 ip4", "v=spf1 ip4:1.2.3", "v=spf1 ip4:2001:db8::1", "v=spf1 ip6:192.0.2.1", "v=spf1 ip4:192.0.2.0/33",
		"v=spf1 ip4:192.0.2.0/024", "v=spf1 a:example.com/", "v=spf1 a/33", "v=spf1 mx//129", "v=spf1 foo", "v=spf1 foo:bar.example",
		"v=spf1 redirect=a.example redirect=b.example", "v=spf1 redirect=", "v=spf1 exists:%{x}.example.com", "v=spf1 include:%d.example.com",
		"v=spf1 include:a.%{d", "v=spf1 include:example.123", "v=spf1 -", "v=spf1 a:é.example", "v=spf1\t-all", "v=spf1 %%{d}=x",
		"v=spf1 exists:%{d0}.example.com", "v=spf1 exp=x exp=y",
	} {
		if _, err := policy.ParseSPF(bad); postern.KindOf(err) != postern.Invalid || err == nil {
			t.Errorf("%q: %v, want Invalid", bad, err)
		}
	}
	s, err := policy.ParseSPF("v=spf1 +a:Mail.Example.com/24//64 ~Include:x.example -all")
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Terms[0]; a.Name != "a" || a.Domain != "Mail.Example.com" || a.Bits4 != 24 || a.Bits6 != 64 || a.Qualifier != '+' {
		t.Errorf("%+v", a)
	}
	if i := s.Terms[1]; i.Name != "include" || i.Qualifier != '~' || i.Text != "~Include:x.example" {
		t.Errorf("%+v", i)
	}
}

func TestSPFRemarks(t *testing.T) {
	for _, test := range []struct {
		text string
		want []policy.RemarkCode
	}{
		{"v=spf1 a -all", nil},
		{"v=spf1 +all", []policy.RemarkCode{policy.SPFAllPass}},
		{"v=spf1 all", []policy.RemarkCode{policy.SPFAllPass}},
		{"v=spf1 ?all", []policy.RemarkCode{policy.SPFAllNeutral}},
		{"v=spf1 a", []policy.RemarkCode{policy.SPFNoAll}},
		{"v=spf1 redirect=x.example", nil},
		{"v=spf1 -all redirect=x.example", []policy.RemarkCode{policy.SPFAllRedirect}},
		{"v=spf1 -all include:x.example", []policy.RemarkCode{policy.SPFAfterAll}},
		{"v=spf1 ptr -all", []policy.RemarkCode{policy.SPFPtr}},
		{"v=spf1 exists:%{i}.x.example -all", []policy.RemarkCode{policy.SPFMacro}},
		{"v=spf1 ?include:x.example -all", []policy.RemarkCode{policy.SPFIncludeNotPass}},
		{"v=spf1 x=y -all", []policy.RemarkCode{policy.SPFUnknown}},
		{"v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 20) + "-all", []policy.RemarkCode{policy.SPFLong}},
		{"v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 40) + "-all", []policy.RemarkCode{policy.SPFTooLong}},
	} {
		s, err := policy.ParseSPF(test.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []policy.RemarkCode
		for _, r := range s.Remarks() {
			got = append(got, r.Code)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%.60q: %v, want %v", test.text, got, test.want)
		}
	}
}

func spfWorld() *world {
	return &world{
		txt: map[string][]string{
			"provider.test": {"v=spf1 include:_a.provider.test include:_b.provider.test ~all"}, "_a.provider.test": {"v=spf1 ip4:192.0.2.0/25 ~all"},
			"_b.provider.test": {"v=spf1 ip4:192.0.2.128/25 ip6:2001:db8::/32 ~all"},
			"good.test":        {"some text", "v=spf1 a mx include:provider.test -all"},
			// As a DNS host's "apply" button makes it: the include stands in a record of its own.
			"button.test": {"v=spf1 include:dc-aa8e722993._spfm.button.test ~all"}, "dc-aa8e722993._spfm.button.test": {"v=spf1 include:provider.test ~all"},
			"redirect.test": {"v=spf1 redirect=good.test"}, "unused.test": {"v=spf1 -all redirect=provider.test"},
			"after.test": {"v=spf1 -all include:provider.test"}, "soft.test": {"v=spf1 ?include:provider.test -all"},
			"softer.test": {"v=spf1 ~include:button.test -all"},
			"flat.test":   {"v=spf1 ip4:192.0.2.0/24 ip6:2001::/16 -all"}, "most.test": {"v=spf1 ip4:192.0.2.0/25 ip6:2001::/16 -all"},
			"all.test": {"v=spf1 +all"}, "two.test": {"v=spf1 -all", "V=spf1 include:provider.test -all"},
			"loop.test": {"v=spf1 include:loop2.test -all"}, "loop2.test": {"v=spf1 include:LOOP.test. -all"},
			"self.test": {"v=spf1 include:self.test -all"}, "broken.test": {"v=spf1 include:syntax.test -all"}, "syntax.test": {"v=spf1 ipv4:1.2.3.4 -all"},
			"void.test": {"v=spf1 a:x1.test a:x2.test mx:x3.test -all"}, "void2.test": {"v=spf1 a:x1.test mx:x3.test -all"},
			"empty.test": {"v=spf1 include:nothing.test -all"}, "other.test": {"hello"},
			"many.test": {"v=spf1 mx:hosts.test -all"}, "silent.test": {"v=spf1 include:gone.test -all"},
			"exists.test": {"v=spf1 exists:%{i}.list.test a:good.test -all"},
			"ten.test":    {"v=spf1" + repeat(" a:h%d.test", 10) + " -all"}, "eleven.test": {"v=spf1" + repeat(" a:h%d.test", 11) + " -all"},
			"wide.test": {"v=spf1" + repeat(" include:t%d.wide.test", 200) + " -all"},
		},
		mx: map[string][]string{"good.test": {"mx.good.test"}, "hosts.test": {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}},
		addr: func() map[string][]string {
			m := map[string][]string{"good.test": {"198.51.100.1"}, "mx.good.test": {"198.51.100.2", "2001:db8:ffff::2"}}
			for i := range 11 {
				m[fmt.Sprintf("h%d.test", i)] = []string{"203.0.113.1"}
			}
			return m
		}(),
		fail: map[string]bool{"gone.test": true},
	}
}

func repeat(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestEvaluateSPF(t *testing.T) {
	for _, test := range []struct {
		domain     string
		outcome    policy.SPFOutcome
		code       policy.SPFCode
		lookups    int
		includes   bool // provider.test
		authorises bool
	}{
		{"good.test", policy.SPFValid, "", 5, true, true},
		{"Good.Test.", policy.SPFValid, "", 5, true, true},
		{"button.test", policy.SPFValid, "", 4, true, true},
		{"redirect.test", policy.SPFValid, "", 6, true, true},
		{"unused.test", policy.SPFValid, "", 0, false, false},
		{"after.test", policy.SPFValid, "", 0, false, false},
		{"soft.test", policy.SPFValid, "", 3, false, false},
		{"softer.test", policy.SPFValid, "", 5, false, false},
		{"flat.test", policy.SPFValid, "", 0, false, true},
		{"most.test", policy.SPFValid, "", 0, false, false},
		{"all.test", policy.SPFValid, "", 0, false, true},
		{"exists.test", policy.SPFValid, "", 2, false, false},
		{"other.test", policy.SPFNone, "", 0, false, false},
		{"nobody.test", policy.SPFNone, "", 0, false, false},
		{"two.test", policy.SPFPermError, policy.SPFSeveral, 0, false, false},
		{"loop.test", policy.SPFPermError, policy.SPFLoop, 2, false, false},
		{"self.test", policy.SPFPermError, policy.SPFLoop, 1, false, false},
		{"broken.test", policy.SPFPermError, policy.SPFSyntax, 1, false, false},
		{"void.test", policy.SPFPermError, policy.SPFVoids, 3, false, false},
		{"void2.test", policy.SPFValid, "", 2, false, false},
		{"empty.test", policy.SPFPermError, policy.SPFMissing, 1, false, false},
		{"many.test", policy.SPFPermError, policy.SPFManyMX, 1, false, false},
		{"silent.test", policy.SPFTempError, policy.SPFUnanswered, 1, false, false},
		{"gone.test", policy.SPFTempError, policy.SPFUnanswered, 0, false, false},
		{"ten.test", policy.SPFValid, "", 10, false, false},
		{"eleven.test", policy.SPFPermError, policy.SPFLookups, 11, false, false},
	} {
		w := spfWorld()
		provider := policy.EvaluateSPF(t.Context(), w, "provider.test")
		r := policy.EvaluateSPF(t.Context(), w, test.domain)
		if r.Outcome != test.outcome || r.Code != test.code || r.Lookups != test.lookups {
			t.Errorf("%s: %s %q (%s), %d look-ups; want %s %q, %d", test.domain, r.Outcome, r.Code, r.Detail, r.Lookups, test.outcome, test.code, test.lookups)
		}
		if got := r.Includes("Provider.test."); got != test.includes {
			t.Errorf("%s includes the provider: %v", test.domain, got)
		}
		if got := r.Authorises(provider); got != test.authorises {
			t.Errorf("%s authorises the provider: %v", test.domain, got)
		}
	}
	w := spfWorld()
	if r := policy.EvaluateSPF(t.Context(), w, "wide.test"); r.Outcome != policy.SPFPermError || len(w.asked) > 60 {
		t.Errorf("a record with 200 includes cost %d questions", len(w.asked))
	}
}

func TestMergeSPF(t *testing.T) {
	for _, test := range []struct {
		existing, want string
		kind           postern.Kind // of the error, with want ""
		cause          postern.Cause
	}{
		{"", "v=spf1 include:provider.test ~all", 0, 0},
		{"v=spf1 -all", "v=spf1 include:provider.test -all", 0, 0},
		{"V=SPF1  A  MX:good.test  x-y=Z  ?ALL", "V=SPF1  A  MX:good.test  x-y=Z  include:provider.test ?ALL", 0, 0},
		{"v=spf1 redirect=good.test", "v=spf1 redirect=good.test", 0, 0}, // it leads there already
		{"v=spf1 redirect=flat.test x=y", "v=spf1 include:provider.test redirect=flat.test x=y", 0, 0},
		{"v=spf1 redirect=flat.test ip4:192.0.2.1", "v=spf1 include:provider.test redirect=flat.test ip4:192.0.2.1", 0, 0},
		{"v=spf1 a ", "v=spf1 a include:provider.test", 0, 0},
		{"v=spf1", "v=spf1 include:provider.test", 0, 0},
		{"v=spf1 include:Provider.TEST. -all", "v=spf1 include:Provider.TEST. -all", 0, 0},
		{"v=spf1 include:dc-aa8e722993._spfm.button.test ~all", "v=spf1 include:dc-aa8e722993._spfm.button.test ~all", 0, 0},
		{"v=spf1 -all include:provider.test", "v=spf1 include:provider.test -all include:provider.test", 0, 0},
		{"v=spf1 ?include:provider.test -all", "v=spf1 include:provider.test ?include:provider.test -all", 0, 0},
		{"v=spf1 exp=all.example.com all", "v=spf1 exp=all.example.com include:provider.test all", 0, 0},
		{"v=spf1 ipv4:1.2.3.4 -all", "", postern.Invalid, 0},
		{"hello", "", postern.Invalid, 0},
		{"v=spf1" + repeat(" a:h%d.test", 8) + " -all", "", postern.Permanent, 0},
		{"v=spf1" + repeat(" a:h%d.test", 7) + " -all", "v=spf1" + repeat(" a:h%d.test", 7) + " include:provider.test -all", 0, 0},
		{"v=spf1 include:provider.test" + repeat(" a:h%d.test", 7) + " -all", "v=spf1 include:provider.test" + repeat(" a:h%d.test", 7) + " -all", 0, 0},
		{"v=spf1 include:provider.test" + repeat(" a:h%d.test", 8) + " -all", "", postern.Permanent, 0}, // there, and too many already
		{"v=spf1 include:provider.test include:provider.test redirect=wide.test", "", postern.Permanent, 0},
		{"v=spf1" + strings.Repeat(" ip4:192.0.2.1", 35) + " -all", "", postern.Permanent, postern.CauseTooLong},
		{"v=spf1 include:nothing.test -all", "", postern.Permanent, 0},
		{"v=spf1 include:gone.test -all", "", postern.Temporary, 0},
	} {
		got, err := policy.MergeSPF(t.Context(), spfWorld(), "mine.test", test.existing, "provider.test", policy.SPFLimits{})
		if got != test.want || test.want == "" && (postern.KindOf(err) != test.kind || postern.CauseOf(err) != test.cause) || test.want != "" && err != nil {
			t.Errorf("%.70q: %q, %v; want %q", test.existing, got, err, test.want)
		}
		if err != nil {
			continue
		}
		if again, err := policy.MergeSPF(t.Context(), spfWorld(), "mine.test", got, "provider.test", policy.SPFLimits{}); err != nil || again != got {
			t.Errorf("%.70q again: %q, %v", got, again, err)
		}
	}
	_, err := policy.MergeSPF(t.Context(), spfWorld(), "mine.test", "v=spf1 a:good.test -all", "provider.test", policy.SPFLimits{MaxLookups: 3})
	if postern.KindOf(err) != postern.Permanent {
		t.Errorf("over a limit of ours: %v", err)
	}
	if _, err := policy.InsertInclude("v=spf1 -all", "not a domain"); postern.KindOf(err) != postern.Invalid {
		t.Errorf("%v", err)
	}
}
