package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// Names answers questions to the DNS as of one moment; Lookup is one.
type Names interface {
	Zone(ctx context.Context, name string) (lookup.Zone, error)
	Authoritative(ctx context.Context, name, kind string) (*lookup.Answers, error)
	// View sees the names at and below own as their own servers have them.
	View(own string) policy.Resolver
}

// Lookup makes Names of a lookup.Client.
type Lookup struct{ *lookup.Client }

// View sees the names at and below own as their own servers have them.
func (l Lookup) View(own string) policy.Resolver { return l.Client.View(own) }

// DNSConfig says which records are wanted, and where they are kept.
type DNSConfig struct {
	Domain string       // of the e-mail provider
	Source RecordSource // the provider's
	Owner  Owner        // the provider's; nil = no record there is the provider's
	// Host is where the zone is kept; nil = the operator enters records by hand.
	Host Host
	// HostID names the host as lookup.Hosts does, to be compared with the delegation; "" =
	// any server may be its.
	HostID string
	// Zone is the zone's name; "" = it is looked up.
	Zone string
	// Page puts what is to be entered by hand into the form of the page of whoever keeps the
	// zone, who may not be known. Needed without a Host.
	Page func(keeper lookup.Host, zone string, remove, add []postern.DNSRecord) string
	// Ask gives fresh Names: each look at the DNS takes new ones.
	Ask func() Names
	// Reports is the address for DMARC reports, "" = none.
	Reports string
	// MaxText is the longest TXT that the host takes, 0 = as MergeSPF has it.
	MaxText int
	// Again is the pause before a value that the host has taken and does not show is looked
	// for again, default 1 s.
	Again time.Duration
}

// DNS is the part of a set-up that is in the DNS. It is used by one run at a time.
type DNS struct {
	cfg   DNSConfig
	zone  lookup.Zone
	names Names
	edits []edit // of the last plan, without those in conflict
}

// NewDNS makes a DNS. It makes no call.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	if cfg.Domain == "" || cfg.Source == nil || cfg.Ask == nil {
		return nil, errors.New("setup: the DNS part needs a domain, its records and somebody to ask")
	}
	cfg.Domain = plain(cfg.Domain)
	cfg.Zone = plain(cfg.Zone)
	if cfg.Again == 0 {
		cfg.Again = time.Second
	}
	return &DNS{cfg: cfg}, nil
}

// Name is what the operator calls it.
func (*DNS) Name() string { return "DNS" }

const keyZone = "dns/zone"

// keyOf names the values of one type at one name.
func keyOf(kind, name string) string { return "dns/" + kind + "/" + name }

func plain(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

// Plan compares what is in the zone with what the provider wants.
func (d *DNS) Plan(ctx context.Context) ([]postern.Change, error) {
	d.names, d.edits = d.cfg.Ask(), nil
	wanted, err := d.cfg.Source.Records(ctx)
	if err != nil {
		return nil, err
	}
	first, err := d.findZone(ctx)
	if err != nil {
		return nil, err
	}
	all := []postern.Change{first}
	if first.Sign == postern.Conflict {
		return all, nil
	}
	for _, w := range d.sort(wanted) {
		e, err := w.plan(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", w.kind, w.name, err)
		}
		all = append(all, d.change(e))
	}
	e, err := d.planDMARC(ctx)
	if err != nil {
		return nil, fmt.Errorf("DMARC: %w", err)
	}
	return append(all, d.change(e)), nil
}

// findZone finds the zone and compares whoever keeps it with the host we would write to:
// what is written elsewhere than the world looks shows nowhere.
func (d *DNS) findZone(ctx context.Context) (postern.Change, error) {
	c := postern.Change{Key: keyZone, Sign: postern.Keep, Title: "zone"}
	zone, err := d.names.Zone(ctx, d.cfg.Domain)
	if err != nil && (d.cfg.Zone == "" || d.cfg.Host == nil) {
		return c, err
	}
	if err != nil {
		zone = lookup.Zone{Name: d.cfg.Zone}
		c.Why = "its servers could not be found: " + err.Error()
	}
	keeper, known := lookup.HostOf(zone.ServerNames())
	at := strings.Join(zone.ServerNames(), ", ")
	if known {
		at = keeper.Title
	}
	c.Is = zone.Name
	if at != "" {
		c.Is += " at " + at
	}
	d.zone = zone
	if d.cfg.Host == nil {
		c.Is += ", by hand"
	}
	c.Want = c.Is
	switch {
	case d.cfg.Zone != "" && d.cfg.Zone != plain(zone.Name) && !zone.Pinned:
		c.Sign, c.Want = postern.Conflict, d.cfg.Zone
		c.Why = "dns.zone says " + d.cfg.Zone + ", and the name " + d.cfg.Domain + " is in another zone: what we write would not be seen"
	case d.cfg.HostID != "" && known && keeper.ID != d.cfg.HostID && !zone.Pinned:
		c.Sign, c.Want = postern.Conflict, "at "+d.cfg.HostID
		c.Why = "dns.host says " + d.cfg.HostID + ", and the world asks " + at + ": what we write would not be seen; set dns.host to where the zone is kept"
	case d.cfg.HostID != "" && !known && at != "" && !zone.Pinned:
		c.Why = "these servers are not known as " + d.cfg.HostID + "'s; if what is written does not show, dns.host is wrong"
	}
	if d.cfg.Zone != "" {
		d.zone.Name = d.cfg.Zone
	}
	return c, nil
}

// want is what one name has to have of one type.
type want struct {
	name, kind string
	records    []postern.DNSRecord
}

// sort groups the provider's records: those of one type at one name are one line.
func (d *DNS) sort(records []postern.DNSRecord) []want {
	var all []want
	for _, r := range records {
		r.Name, r.Type = plain(r.Name), strings.ToUpper(r.Type)
		i := slices.IndexFunc(all, func(w want) bool { return w.name == r.Name && w.kind == r.Type && r.Type == "MX" })
		if i < 0 {
			all = append(all, want{name: r.Name, kind: r.Type})
			i = len(all) - 1
		}
		all[i].records = append(all[i].records, r)
	}
	return all
}

// values lists what is in the zone: at the host, or, if it is kept by hand, on its
// servers.
func (d *DNS) values(ctx context.Context, name, kind string) ([]postern.DNSRecord, error) {
	if d.cfg.Host != nil {
		return d.cfg.Host.List(ctx, d.zone.Name, name, kind)
	}
	a, err := d.names.Authoritative(ctx, name, kind)
	if err != nil {
		return nil, err
	}
	if !a.Status().Known() {
		return nil, postern.Errorf(postern.Temporary, "setup.dns", "none of the zone's servers answers")
	}
	return a.Records(), nil
}

// within tells whether a name is in our zone.
func (d *DNS) within(name string) bool {
	z := plain(d.zone.Name)
	return name == z || strings.HasSuffix(name, "."+z)
}

// change makes an edit a line of the plan.
func (d *DNS) change(e edit) postern.Change {
	c := postern.Change{Key: keyOf(e.Kind, e.Name), Title: e.title, Is: e.is, Want: e.want, Why: e.why, Sign: e.sign()}
	if e.part != "" {
		c.Key += "/" + e.part
	}
	if c.Sign == postern.Keep || c.Sign == postern.Conflict {
		return c
	}
	d.edits = append(d.edits, e)
	if d.cfg.Host == nil {
		return c
	}
	e.Zone = d.zone.Name
	c.Before, _ = json.Marshal(e) // plain types: never fails
	c.Apply = func(ctx context.Context) error { return d.apply(ctx, e) }
	return c
}

// Restore takes an edit back.
func (d *DNS) Restore(ctx context.Context, key string, before json.RawMessage) error {
	var e edit
	if err := json.Unmarshal(before, &e); err != nil || !strings.HasPrefix(key, keyOf(e.Kind, e.Name)) {
		return postern.Errorf(postern.Invalid, "dns.restore", "not a snapshot of ours: %q", key)
	}
	if d.cfg.Host == nil {
		return postern.Errorf(postern.Denied, "dns.restore", "dns.host is manual, and the records were written by way of a host")
	}
	return d.takeBack(ctx, e)
}

// Unsettled looks at every server of the zone, as it is now.
func (d *DNS) Unsettled(ctx context.Context) ([]string, error) {
	names := d.cfg.Ask()
	var missing []string
	for _, e := range d.edits {
		for _, kind := range e.kinds() {
			a, err := names.Authoritative(ctx, e.Name, kind)
			if err != nil {
				return nil, err
			}
			missing = append(missing, e.unseen(kind, a)...)
		}
	}
	return missing, nil
}
