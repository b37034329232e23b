package policy_test

import (
	"strings"
	"testing"

	"github.com/postern-chat/postern/setup/policy"
)

// What is parsed parses again from its own terms, and an include goes in once.
func FuzzSPF(f *testing.F) {
	for _, s := range []string{"v=spf1 a mx -all", "v=spf1 include:%{d1r-}.x.test exists:%{i}.a redirect=b.test", "v=spf1 ip6:::/0 a:x.y/1//2 ?all", "v=spf1 %="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := policy.ParseSPF(text)
		if err != nil {
			return
		}
		var words []string
		for _, term := range s.Terms {
			words = append(words, term.Text)
		}
		again, err := policy.ParseSPF(strings.Join(append([]string{"v=spf1"}, words...), " "))
		if err != nil || len(again.Terms) != len(s.Terms) {
			t.Fatalf("%q: its own terms do not parse: %v", text, err)
		}
		s.Remarks()
		merged, err := policy.InsertInclude(text, "provider.test")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		m, err := policy.ParseSPF(merged)
		if err != nil || len(m.Terms) > len(s.Terms)+1 {
			t.Fatalf("%q became %q: %v", text, merged, err)
		}
		if twice, err := policy.InsertInclude(merged, "Provider.test."); err != nil || twice != merged {
			t.Fatalf("%q became %q the second time: %v", merged, twice, err)
		}
	})
}

func FuzzDKIM(f *testing.F) {
	f.Add("v=DKIM1; k=rsa; t=y:s; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ")
	f.Add("k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := policy.ParseDKIM(text)
		if err != nil {
			return
		}
		if !policy.SameDKIM(text, text) {
			t.Fatalf("%q is not the same as itself", text)
		}
		if k.Revoked != (len(k.Key) == 0) || k.Bits < 0 {
			t.Fatalf("%q: %+v", text, k)
		}
	})
}

func FuzzDMARC(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=x; rua=mailto:a@b.test!10m,mailto:%zz; pct=1; psd=y; t=y")
	f.Add("v = DMARC1 ;")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := policy.ParseDMARC(text)
		if err != nil {
			return
		}
		if !policy.IsDMARC(text) {
			t.Fatalf("%q parses and is none", text)
		}
		switch d.Policy {
		case policy.None, policy.Quarantine, policy.Reject:
		default:
			t.Fatalf("%q: policy %q", text, d.Policy)
		}
		for _, a := range append(d.Aggregate, d.Failure...) {
			if !strings.Contains(a, "@") {
				t.Fatalf("%q: report address %q", text, a)
			}
		}
	})
}
