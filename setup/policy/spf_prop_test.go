package policy_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"blitiri.com.ar/go/spf"
	"github.com/postern-chat/postern/setup/policy"
	"pgregory.net/rapid"
)

// drawSPF makes a record out of terms whose targets exist, or nearly.
func drawSPF(t *rapid.T, label string) string {
	terms := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "mx", "a:h1.test", "A:h2.test/28", "mx:h3.test//64", "ip4:192.0.2.7", "ip4:198.51.100.0/24", "ip6:2001:db8:1::/48",
		"include:leaf1.test", "include:LEAF2.test", "?include:leaf1.test", "-include:leaf2.test", "include:provider.test", "~include:provider.test", "include:nest.test",
		"-ip4:203.0.113.9", "~a:h1.test", "exists:h1.test", "a:void.test", "x=y", "Moo.cow=%{d}", "ptr:h1.test",
		"-all", "~all", "?all", "+all", "redirect=leaf2.test", "redirect=nest.test",
	}), 0, 7).Draw(t, label)
	sep := rapid.SampledFrom([]string{" ", "  "}).Draw(t, label+" space")
	var kept []string
	redirects := 0
	for _, term := range terms {
		if strings.HasPrefix(term, "redirect=") {
			if redirects++; redirects > 1 {
				continue
			}
		}
		kept = append(kept, term)
	}
	return strings.Join(append([]string{"v=spf1"}, kept...), sep)
}

func propWorld(t *rapid.T) *world {
	w := &world{
		txt: map[string][]string{
			"leaf1.test": {"v=spf1 ip4:203.0.113.0/28 -all"}, "leaf2.test": {"v=spf1 a:h2.test ip6:2001:db8:2::/48 ~all"},
			"nest.test": {"v=spf1 include:leaf1.test ?ip4:192.0.2.64/26 include:leaf2.test"},
			"provider.test": {rapid.SampledFrom([]string{
				"v=spf1 ip4:192.0.2.128/25 ~all", "v=spf1 include:leaf1.test ip4:192.0.2.128/25 ~all", "v=spf1 ip4:192.0.2.128/25 redirect=leaf2.test",
			}).Draw(t, "provider")},
		},
		mx:   map[string][]string{"mine.test": {"h1.test"}, "h3.test": {"h1.test", "h2.test"}},
		addr: map[string][]string{"mine.test": {"192.0.2.1"}, "h1.test": {"203.0.113.9", "2001:db8:3::1"}, "h2.test": {"203.0.113.33"}, "h3.test": {"203.0.113.44"}},
	}
	return w
}

// senders are addresses of which each is in some network of propWorld, or in none.
var senders = []string{
	"192.0.2.1", "192.0.2.7", "192.0.2.65", "192.0.2.129", "192.0.2.254", "198.51.100.5", "203.0.113.1", "203.0.113.9", "203.0.113.33", "203.0.113.44",
	"203.0.113.200", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1", "2001:db8:9::1",
}

func judge(w *world, ip string) (spf.Result, error) {
	return spf.CheckHostWithSender(net.ParseIP(ip), "mine.test", "a@mine.test", spf.WithResolver(referee{w}))
}

// A merged record is one record, lets pass all that passed before and all that passes at
// the provider unless the old record had refused or neutralised it by name, and is the
// old text with one term put in. The referee is another implementation.
func TestMergeKeepsWhatPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := propWorld(t)
		old := drawSPF(t, "record")
		merged, err := policy.MergeSPF(context.Background(), w, "mine.test", old, "provider.test", policy.SPFLimits{})
		if err != nil {
			return
		}
		if merged != old && strings.Replace(merged, "include:provider.test ", "", 1) != old && strings.TrimSuffix(merged, " include:provider.test") != strings.TrimRight(old, " ") {
			t.Fatalf("%q became %q: more than one term differs", old, merged)
		}
		if !policy.IsSPF(merged) || strings.Count(strings.ToLower(merged), "v=spf1") != 1 {
			t.Fatalf("%q is not one record", merged)
		}
		if again, err := policy.MergeSPF(context.Background(), w, "mine.test", merged, "provider.test", policy.SPFLimits{}); err != nil || again != merged {
			t.Fatalf("%q again: %q, %v", merged, again, err)
		}
		for _, ip := range senders {
			w.txt["mine.test"] = []string{old}
			before, _ := judge(w, ip)
			w.txt["mine.test"] = []string{merged}
			after, why := judge(w, ip)
			if before == spf.Pass && after != spf.Pass {
				t.Fatalf("%s passed %q and gets %s from %q: %v", ip, old, after, merged, why)
			}
			if after == spf.PermError {
				t.Fatalf("%q is a permerror for %s: %v", merged, ip, why)
			}
		}
	})
}

// EvaluateSPF and the referee agree on what a permerror is, and nothing passes at the
// referee that is outside the report's networks (without terms that depend on the mail).
func TestEvaluateAgreesWithReferee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := propWorld(t)
		record := drawSPF(t, "record")
		if strings.Contains(record, "exists:") || strings.Contains(record, "ptr") {
			return
		}
		w.txt["mine.test"] = []string{record}
		r := policy.EvaluateSPF(context.Background(), w, "mine.test")
		for _, ip := range senders {
			got, why := judge(w, ip)
			if got == spf.PermError && r.Outcome != policy.SPFPermError {
				t.Fatalf("%q: the referee says permerror (%v), we %s", record, why, r.Outcome)
			}
			if got == spf.Pass && !covered(r, ip) {
				t.Fatalf("%q: %s passes at the referee and is in none of %v", record, ip, r.Networks)
			}
		}
	})
}

func covered(r *policy.SPFReport, ip string) bool {
	for _, n := range r.Networks {
		if n.Contains(mustAddr(ip)) {
			return true
		}
	}
	return false
}

// Both read the same texts, or refuse them, at least where ours has been asked to be as
// strict as RFC 7208's grammar.
func TestParserAgainstReferee(t *testing.T) {
	for _, text := range []string{"v=spf1 ip4:1.2.3.4/33 -all", "v=spf1 foo -all", "v=spf1 ip4:1.2.3 -all", "v=spf1 a/x -all", "v=spf1 -all", "v=spf1 mx//64 -all"} {
		w := &world{txt: map[string][]string{"mine.test": {text}}}
		got, _ := judge(w, "192.0.2.1")
		_, err := policy.ParseSPF(text)
		if (got == spf.PermError) != (err != nil) {
			t.Errorf("%q: the referee says %s, we %v", text, got, err)
		}
	}
}
