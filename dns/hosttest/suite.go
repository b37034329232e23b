package hosttest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup"
)

// Case is a host with an empty zone.
type Case struct {
	Host setup.Host
	Zone string // "example.test"
	// MinTTL is the least that the host takes, in seconds; 0 = 60.
	MinTTL int
	// LongText is how long a text may be, 0 = 1,000 bytes.
	LongText int
}

// Run holds a host to the rules. open is called once for each test and gives a zone that
// no other test uses, or one that is emptied.
func Run(t *testing.T, open func(t *testing.T) Case) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"nothing there", nothingThere},
		{"create, list, delete", createListDelete},
		{"repeated", repeated},
		{"mx pair", mxPair},
		{"mx priority zero", mxPriorityZero},
		{"mx priority is part of the value", mxPriorityCounts},
		{"texts beside each other", textNeighbours},
		{"texts differ by case", textCase},
		{"names and hosts do not differ by case", nameCase},
		{"long text", longText},
		{"odd characters", oddCharacters},
		{"at the zone's own name", apex},
		{"deep names", deepNames},
		{"types beside each other", typesApart},
		{"cname", cname},
		{"at the same time", concurrent},
		{"outside the zone", outside},
		{"cancelled", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t)
			if c.MinTTL == 0 {
				c.MinTTL = 60
			}
			if c.LongText == 0 {
				c.LongText = 1000
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			test.run(t, &bench{t, ctx, c})
		})
	}
}

type bench struct {
	t   *testing.T
	ctx context.Context
	Case
}

func (b *bench) name(label string) string {
	if label == "" {
		return b.Zone
	}
	return label + "." + b.Zone
}

func (b *bench) text(label, value string) postern.DNSRecord {
	return postern.DNSRecord{Name: b.name(label), Type: "TXT", Value: value}
}

func (b *bench) mx(label, host string, priority int) postern.DNSRecord {
	return postern.DNSRecord{Name: b.name(label), Type: "MX", Value: host, Priority: priority}
}

func (b *bench) create(rs ...postern.DNSRecord) {
	b.t.Helper()
	for _, r := range rs {
		if err := b.Host.Create(b.ctx, b.Zone, r); err != nil {
			b.t.Fatalf("create %s %s: %v", r.Type, r.Name, err)
		}
	}
}

func (b *bench) delete(rs ...postern.DNSRecord) {
	b.t.Helper()
	for _, r := range rs {
		if err := b.Host.Delete(b.ctx, b.Zone, r); err != nil {
			b.t.Fatalf("delete %s %s: %v", r.Type, r.Name, err)
		}
	}
}

// want compares what is listed at a name with what should be there, in any order.
func (b *bench) want(label, kind string, want ...postern.DNSRecord) {
	b.t.Helper()
	got, err := b.Host.List(b.ctx, b.Zone, b.name(label), kind)
	if err != nil {
		b.t.Fatalf("list %s %s: %v", kind, b.name(label), err)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, w.Same) {
			b.t.Errorf("%s %s: %q (priority %d) is missing", kind, b.name(label), w.Value, w.Priority)
		}
	}
	if len(got) != len(want) {
		b.t.Errorf("%s %s: %d values, want %d: %+v", kind, b.name(label), len(got), len(want), got)
	}
	for _, g := range got {
		if g.Type != kind || g.Name != b.name(label) {
			b.t.Errorf("listed %s %s, asked for %s %s", g.Type, g.Name, kind, b.name(label))
		}
	}
}

func nothingThere(t *testing.T, b *bench) {
	b.want("nobody", "TXT")
	b.delete(b.text("nobody", "what never was"))
	b.want("nobody", "TXT")
}

func createListDelete(t *testing.T, b *bench) {
	r := b.text("one", "v=spf1 include:provider.example ~all")
	r.TTL = b.MinTTL
	b.create(r)
	b.want("one", "TXT", r)
	b.delete(r)
	b.want("one", "TXT")
}

func repeated(t *testing.T, b *bench) {
	txt, mx := b.text("again", "said once"), b.mx("again", "mx.provider.example", 10)
	b.create(txt, mx, txt, mx)
	b.want("again", "TXT", txt)
	b.want("again", "MX", mx)
	other := txt
	other.TTL = 7200 // the same value: what is there stays
	b.create(other)
	b.want("again", "TXT", txt)
	b.delete(txt, mx, txt, mx)
	b.want("again", "TXT")
	b.want("again", "MX")
}

func mxPair(t *testing.T, b *bench) {
	one, two := b.mx("mg", "mxa.provider.example", 10), b.mx("mg", "mxb.provider.example", 10)
	b.create(one, two)
	b.want("mg", "MX", one, two)
	b.delete(one)
	b.want("mg", "MX", two)
	b.create(one)
	b.want("mg", "MX", one, two)
}

func mxPriorityZero(t *testing.T, b *bench) {
	zero, ten := b.mx("zero", "first.provider.example", 0), b.mx("zero", "second.provider.example", 10)
	b.create(zero, ten)
	b.want("zero", "MX", zero, ten)
	b.delete(ten)
	b.want("zero", "MX", zero)
}

func mxPriorityCounts(t *testing.T, b *bench) {
	b.create(b.mx("prio", "mx.provider.example", 10))
	b.delete(b.mx("prio", "mx.provider.example", 20))
	b.want("prio", "MX", b.mx("prio", "mx.provider.example", 10))
}

func textNeighbours(t *testing.T, b *bench) {
	spf := b.text("", "v=spf1 include:_spf.office.example -all")
	site := b.text("", "site-verification=Abc123_xyz")
	other := b.text("", "MS=ms12345678")
	b.create(spf, site, other)
	merged := b.text("", "v=spf1 include:_spf.office.example include:provider.example -all")
	b.create(merged)
	b.delete(spf)
	b.want("", "TXT", merged, site, other)
	b.delete(merged)
	b.want("", "TXT", site, other)
}

func textCase(t *testing.T, b *bench) {
	upper, lower := b.text("case", "Token=ABC"), b.text("case", "Token=abc")
	b.create(upper, lower)
	b.want("case", "TXT", upper, lower)
	b.delete(lower)
	b.want("case", "TXT", upper)
}

func nameCase(t *testing.T, b *bench) {
	r := b.mx("mixed", "mx.provider.example", 10)
	b.create(r)
	shout := r
	shout.Name, shout.Value = strings.ToUpper(r.Name), "MX.Provider.Example."
	b.create(shout)
	b.want("mixed", "MX", r)
	b.delete(shout)
	b.want("mixed", "MX")
}

func longText(t *testing.T, b *bench) {
	// No repetition with a period of 255, so that pieces in the wrong order show.
	text := "k=rsa; p="
	for i := 0; len(text) < min(b.LongText, 1000)-10; i++ {
		text += string(rune('A'+i%26)) + string(rune('a'+i/26%26))
	}
	long, beside := b.text("sel._domainkey", text), b.text("sel._domainkey", "short")
	b.create(long, beside)
	b.want("sel._domainkey", "TXT", long, beside)
	b.delete(beside)
	b.want("sel._domainkey", "TXT", long)
	b.delete(long)
	b.want("sel._domainkey", "TXT")
}

func oddCharacters(t *testing.T, b *bench) {
	r := b.text("odd", `a "quoted"; back\slash, a=b c  d`)
	b.create(r)
	b.want("odd", "TXT", r)
	b.create(r)
	b.want("odd", "TXT", r)
	b.delete(r)
	b.want("odd", "TXT")
}

func apex(t *testing.T, b *bench) {
	r := b.mx("", "mx.provider.example", 10)
	b.create(r)
	b.want("", "MX", r)
	b.want(b.Zone, "MX") // the zone's name is not put behind itself
	b.delete(r)
	b.want("", "MX")
}

func deepNames(t *testing.T, b *bench) {
	r := b.text("_dmarc.mail.mg", "v=DMARC1; p=none")
	b.create(r)
	b.want("_dmarc.mail.mg", "TXT", r)
	b.want("_dmarc.mail", "TXT")
	b.want("mail.mg", "TXT")
}

func typesApart(t *testing.T, b *bench) {
	txt, mx := b.text("both", "text"), b.mx("both", "mx.provider.example", 10)
	b.create(txt, mx)
	b.delete(mx)
	b.want("both", "TXT", txt)
	b.want("both", "MX")
}

func cname(t *testing.T, b *bench) {
	r := postern.DNSRecord{Name: b.name("email"), Type: "CNAME", Value: "provider.example"}
	b.create(r, r)
	b.want("email", "CNAME", r)
	other := r
	other.Value = "elsewhere.example"
	if err := b.Host.Create(b.ctx, b.Zone, other); err == nil {
		t.Error("a second CNAME at the name was taken, or has replaced the first")
	}
	b.want("email", "CNAME", r)
	if err := b.Host.Create(b.ctx, b.Zone, b.text("email", "beside")); err == nil {
		t.Error("a text beside a CNAME counts as created")
	}
	b.delete(r)
	b.want("email", "CNAME")
}

func concurrent(t *testing.T, b *bench) {
	var all []postern.DNSRecord
	for i := range 8 {
		all = append(all, b.text("many", "text "+string(rune('a'+i))))
	}
	b.create(all[0], all[1])
	var wg sync.WaitGroup
	errs := make([]error, 2*len(all))
	for i, r := range all {
		for j := range 2 { // everything twice
			wg.Go(func() {
				if i < 2 {
					errs[2*i+j] = b.Host.Delete(b.ctx, b.Zone, r)
				} else {
					errs[2*i+j] = b.Host.Create(b.ctx, b.Zone, r)
				}
			})
		}
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Errorf("at the same time: %v", err)
		}
	}
	b.want("many", "TXT", all[2:]...)
}

func outside(t *testing.T, b *bench) {
	for _, name := range []string{"other.example", "not" + b.Zone, ""} {
		r := postern.DNSRecord{Name: name, Type: "TXT", Value: "text"}
		if err := b.Host.Create(b.ctx, b.Zone, r); postern.KindOf(err) != postern.Invalid {
			t.Errorf("create at %q: %v, want Invalid", name, err)
		}
		if err := b.Host.Delete(b.ctx, b.Zone, r); postern.KindOf(err) != postern.Invalid {
			t.Errorf("delete at %q: %v, want Invalid", name, err)
		}
	}
}

func cancelled(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	r := b.text("late", "text")
	if err := b.Host.Create(ctx, b.Zone, r); postern.KindOf(err) != postern.Temporary {
		t.Errorf("create with a cancelled context: %v, want Temporary", err)
	}
	b.want("late", "TXT")
}
