package setup

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/policy"
)

// edit is what is to become of the values at one name. In JSON it is what Restore needs.
type edit struct {
	Zone string `json:"zone"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Add and Remove are values of type Kind; of a DKIM key also of the other type that it
	// can have.
	Add    []postern.DNSRecord `json:"add"`
	Remove []postern.DNSRecord `json:"remove"`
	// Stay are values of the same meaning that were there and are right.
	Stay []postern.DNSRecord `json:"stay,omitempty"`
	// Alone: old and new cannot stand beside each other, so the old goes first.
	Alone bool `json:"alone,omitempty"`

	part, title, is, want, why string
	clash                      bool
}

func (e edit) conflict(why string) edit {
	if why != "" {
		e.clash, e.why, e.Add, e.Remove = true, why, nil, nil
	}
	return e
}

func (e edit) sign() postern.Sign {
	switch {
	case e.clash:
		return postern.Conflict
	case len(e.Add) > 0 && len(e.Remove) == 0 && e.is == "":
		return postern.Add
	case len(e.Add)+len(e.Remove) > 0:
		return postern.Alter
	}
	return postern.Keep
}

// kinds are the types that the edit touches.
func (e edit) kinds() []string {
	kinds := []string{e.Kind}
	for _, r := range slices.Concat(e.Add, e.Remove) {
		if !slices.Contains(kinds, r.Type) {
			kinds = append(kinds, r.Type)
		}
	}
	return kinds
}

// rival tells whether a value is one that the edit is about: of several texts at a name
// only those of the same meaning.
func (e edit) rival(r postern.DNSRecord) bool {
	if r.Type != "TXT" || strings.Contains(e.Name, "._domainkey.") {
		return true
	}
	for _, own := range slices.Concat(e.Add, e.Remove, e.Stay) {
		if policy.IsSPF(own.Value) && policy.IsSPF(r.Value) || policy.IsDMARC(own.Value) && policy.IsDMARC(r.Value) {
			return true
		}
	}
	return false
}

// look lists what is at the host now and compares it with the edit.
func (d *DNS) look(ctx context.Context, e edit) (now []postern.DNSRecord, err error) {
	for _, kind := range e.kinds() {
		list, err := d.cfg.Host.List(ctx, e.Zone, e.Name, kind)
		if err != nil {
			return nil, err
		}
		now = append(now, list...)
	}
	return now, nil
}

func has(list []postern.DNSRecord, r postern.DNSRecord) bool {
	return slices.ContainsFunc(list, r.Same)
}

func changed(name string) error {
	return postern.Errorf(postern.Permanent, "setup.dns", "what is at %s has changed meanwhile", name).Because(postern.CauseChanged)
}

// strange tells whether there is a rival that neither was there nor is ours. A second MX
// of the wanted kind is none.
func (e edit) strange(now []postern.DNSRecord) bool {
	known := slices.Concat(e.Add, e.Remove, e.Stay)
	for _, r := range now {
		if e.rival(r) && !has(known, r) && r.Type != "MX" {
			return true
		}
	}
	return false
}

// apply creates the new values, reads them back, and then removes the old ones: nothing
// is ever missing in between. Only a CNAME cannot wait beside another.
func (d *DNS) apply(ctx context.Context, e edit) error {
	now, err := d.look(ctx, e)
	if err != nil {
		return err
	}
	if e.strange(now) {
		return changed(e.Name)
	}
	if e.Alone {
		if err := d.remove(ctx, e, e.Remove, now); err != nil {
			return err
		}
		return d.create(ctx, e, e.Add, now)
	}
	// An old value that is gone already was ours to replace: then the new one is there too,
	// or somebody else has been at it.
	for _, r := range e.Remove {
		if !has(now, r) && slices.ContainsFunc(e.Add, func(a postern.DNSRecord) bool { return !has(now, a) }) {
			return changed(e.Name)
		}
	}
	if err := d.create(ctx, e, e.Add, now); err != nil {
		return err
	}
	return d.remove(ctx, e, e.Remove, now)
}

// takeBack is apply the other way round.
func (d *DNS) takeBack(ctx context.Context, e edit) error {
	now, err := d.look(ctx, e)
	if err != nil {
		return err
	}
	back := edit{Zone: e.Zone, Name: e.Name, Kind: e.Kind, Add: e.Remove, Remove: e.Add, Stay: e.Stay, Alone: e.Alone}
	if back.strange(now) {
		return changed(e.Name)
	}
	if back.Alone {
		if err := d.remove(ctx, back, back.Remove, now); err != nil {
			return err
		}
		return d.create(ctx, back, back.Add, now)
	}
	gone := func(list []postern.DNSRecord) bool {
		return slices.ContainsFunc(list, func(r postern.DNSRecord) bool { return !has(now, r) })
	}
	if gone(back.Remove) && gone(back.Add) {
		return changed(e.Name)
	}
	if err := d.create(ctx, back, back.Add, now); err != nil {
		return err
	}
	return d.remove(ctx, back, back.Remove, now)
}

func (d *DNS) remove(ctx context.Context, e edit, list, now []postern.DNSRecord) error {
	for _, r := range list {
		if !has(now, r) {
			continue
		}
		if err := d.cfg.Host.Delete(ctx, e.Zone, r); err != nil {
			return err
		}
	}
	return nil
}

// create adds values and reads each back.
func (d *DNS) create(ctx context.Context, e edit, list, now []postern.DNSRecord) error {
	for _, r := range list {
		if has(now, r) {
			continue
		}
		if err := d.cfg.Host.Create(ctx, e.Zone, r); err != nil {
			return err
		}
		if err := d.readBack(ctx, e.Zone, r); err != nil {
			return err
		}
	}
	return nil
}

// readBack wants a value to be there that the host said it took. GoDaddy's Domain
// Protection makes it an empty one instead.
func (d *DNS) readBack(ctx context.Context, zone string, r postern.DNSRecord) error {
	for try := 1; ; try++ {
		list, err := d.cfg.Host.List(ctx, zone, r.Name, r.Type)
		if err != nil {
			return err
		}
		if has(list, r) {
			return nil
		}
		if slices.ContainsFunc(list, func(x postern.DNSRecord) bool { return strings.TrimSpace(x.Value) == "" }) {
			return postern.Errorf(postern.Denied, "setup.dns", "the host made an empty record at %s: a protection of the domain is on (GoDaddy: Domain Protection); switch it off while this runs, and remove the empty record", r.Name)
		}
		if try == 3 {
			return postern.Errorf(postern.Denied, "setup.dns", "the host took the %s record at %s and does not show it: look whether the domain is protected against changes (GoDaddy: Domain Protection)", r.Type, r.Name)
		}
		if !sleep(ctx, d.cfg.Again) {
			return ctx.Err()
		}
	}
}
