package setup

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// fakeZone is a zone, its host, its servers and the resolver in one.
type fakeZone struct {
	mu        sync.Mutex
	name      string
	ns        []string
	records   []postern.DNSRecord
	stale     []postern.DNSRecord // what the second server shows, if lagging
	lagging   bool
	silent    bool
	protected bool                // creates empty texts
	foreign   map[string][]string // texts at names elsewhere
	calls     []string
}

func (z *fakeZone) List(_ context.Context, _, name, kind string) ([]postern.DNSRecord, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return pick(z.records, name, kind), nil
}

func pick(all []postern.DNSRecord, name, kind string) []postern.DNSRecord {
	var found []postern.DNSRecord
	for _, r := range all {
		if r.Name == name && r.Type == kind {
			found = append(found, r)
		}
	}
	return found
}

func (z *fakeZone) Create(_ context.Context, _ string, r postern.DNSRecord) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.calls = append(z.calls, "create "+r.Type+" "+r.Value)
	if z.protected {
		r.Value = ""
	}
	z.records = append(z.records, r)
	return nil
}

func (z *fakeZone) Delete(_ context.Context, _ string, r postern.DNSRecord) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.calls = append(z.calls, "delete "+r.Type+" "+r.Value)
	z.records = slices.DeleteFunc(z.records, r.Same)
	return nil
}

func (z *fakeZone) Zone(context.Context, string) (lookup.Zone, error) {
	found := lookup.Zone{Name: z.name, Delegated: true}
	for _, n := range z.ns {
		found.Servers = append(found.Servers, lookup.Server{Name: n})
	}
	return found, nil
}

func (z *fakeZone) Authoritative(_ context.Context, name, kind string) (*lookup.Answers, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	a := &lookup.Answers{Name: name, Type: kind, Agreed: true}
	for i, n := range z.ns {
		all := z.records
		if i == 1 && z.lagging {
			all = z.stale
		}
		one := lookup.Answer{Server: n, Status: lookup.NoData, Records: pick(all, name, kind)}
		if len(one.Records) > 0 {
			one.Status = lookup.Found
		}
		if alias := pick(all, name, "CNAME"); len(alias) > 0 {
			one.Aliases = []string{alias[0].Value}
			a.Alias = alias[0].Value
		}
		if z.silent {
			one = lookup.Answer{Server: n, Status: lookup.Unreachable}
		}
		a.Servers = append(a.Servers, one)
	}
	return a, nil
}

func (z *fakeZone) View(string) policy.Resolver { return z }

func (z *fakeZone) TXT(ctx context.Context, name string) ([]string, error) {
	list, _ := z.List(ctx, "", name, "TXT")
	texts := slices.Clone(z.foreign[name])
	for _, r := range list {
		texts = append(texts, r.Value)
	}
	return texts, nil
}

func (z *fakeZone) MX(context.Context, string) ([]string, error) { return nil, nil }
func (z *fakeZone) Addresses(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}
func (z *fakeZone) Exists(context.Context, string) (bool, error) { return true, nil }

// text is the zone's content, sorted.
func (z *fakeZone) text() string {
	var all []string
	for _, r := range z.records {
		all = append(all, r.Type+" "+r.Name+" "+show([]postern.DNSRecord{r}))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// fakeProvider wants some records, and is content when the zone has them.
type fakeProvider struct {
	records []postern.DNSRecord
	changes []postern.Change
	absent  bool
	missing [][]string // answers of Verify, the last for ever
	asked   int
	verify  error
	undone  []string
	restore func(key string) error
}

func (*fakeProvider) Name() string { return "Mail" }
func (p *fakeProvider) Plan(context.Context) ([]postern.Change, error) {
	return p.changes, nil
}
func (p *fakeProvider) Restore(_ context.Context, key string, _ json.RawMessage) error {
	if p.restore != nil {
		if err := p.restore(key); err != nil {
			return err
		}
	}
	p.undone = append(p.undone, key)
	return nil
}
func (p *fakeProvider) Records(context.Context) ([]postern.DNSRecord, error) {
	if p.absent {
		return nil, postern.Errorf(postern.Denied, "fake", "absent").Because(postern.CauseNotFound)
	}
	return p.records, nil
}
func (p *fakeProvider) Owns(r postern.DNSRecord) bool {
	return strings.HasSuffix(r.Value, "provider.test") || strings.HasPrefix(r.Value, "k=rsa;")
}
func (*fakeProvider) Late(key string) bool { return strings.HasPrefix(key, "late") }
func (p *fakeProvider) Verify(context.Context) ([]string, error) {
	p.asked++
	if p.verify != nil {
		return nil, p.verify
	}
	if len(p.missing) == 0 {
		return nil, nil
	}
	m := p.missing[0]
	if len(p.missing) > 1 {
		p.missing = p.missing[1:]
	}
	return m, nil
}

func wantedRecords() []postern.DNSRecord {
	return []postern.DNSRecord{
		{Name: "mg.example.com", Type: "MX", Value: "a.provider.test", Priority: 10},
		{Name: "mg.example.com", Type: "MX", Value: "b.provider.test", Priority: 10},
		{Name: "mg.example.com", Type: "TXT", Value: "v=spf1 include:spf.provider.test ~all"},
		{Name: "k1._domainkey.mg.example.com", Type: "TXT", Value: "k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDnew"},
		{Name: "email.mg.example.com", Type: "CNAME", Value: "provider.test"},
	}
}

func newFakeZone() *fakeZone {
	return &fakeZone{name: "example.com", ns: []string{"ns1.domaincontrol.com", "ns2.domaincontrol.com"},
		foreign: map[string][]string{"spf.provider.test": {"v=spf1 ip4:192.0.2.0/24 -all"}, "provider.test": {"v=spf1 -all"}}}
}

// fakeTalk says what it is told to, and remembers.
type fakeTalk struct {
	answers  []bool // to questions; none left = yes
	asked    []string
	plans    []Plan
	done     []string
	said     []string
	progress []string
	onLine   func(string)
}

func (f *fakeTalk) Plan(p Plan) { f.plans = append(f.plans, slices.Clone(p)) }
func (f *fakeTalk) Ask(_ context.Context, q string) (bool, error) {
	f.asked = append(f.asked, q)
	if len(f.answers) == 0 {
		return true, nil
	}
	a := f.answers[0]
	f.answers = f.answers[1:]
	return a, nil
}
func (f *fakeTalk) Progress(line string) {
	f.progress = append(f.progress, line)
	if f.onLine != nil {
		f.onLine(line)
	}
}
func (f *fakeTalk) Done(part string, c postern.Change, err error) {
	text := part + " " + c.Key
	if err != nil {
		text += ": " + postern.KindOf(err).String()
	}
	f.done = append(f.done, text)
}
func (f *fakeTalk) Say(text string) { f.said = append(f.said, text) }

func fixedNow() time.Time { return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC) }
