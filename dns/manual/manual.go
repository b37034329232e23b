package manual

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-chat/postern"
)

const op = "dns.manual"

// Config says what is known of the zone and of the page where it is kept.
type Config struct {
	// Look tells what is there: usually a question to the zone's own servers. nil: List
	// finds nothing.
	Look func(ctx context.Context, name, kind string) ([]postern.DNSRecord, error)
	// Page is the form that the operator's DNS host wants; the zero value suits most.
	Page Page
}

// Host implements setup.Host. What is asked of it that is not so already fails with
// Denied, and an Instruction in the error's chain.
type Host struct{ cfg Config }

// Action is what an operator is to do.
type Action string

// The values of Action.
const (
	Create Action = "create"
	Delete Action = "delete"
)

// Instruction is one thing that an operator is to do. It is an error, so that it travels
// with one; see Of.
type Instruction struct {
	Action Action
	Zone   string
	Record postern.DNSRecord
	Page   Page
}

func (i *Instruction) Error() string {
	return fmt.Sprintf("to be done by hand: %s %s", i.Action, i.Page.Line(i.Zone, i.Record))
}

// Of gives the instruction that an error carries, nil if none.
func Of(err error) *Instruction {
	var i *Instruction
	if errors.As(err, &i) {
		return i
	}
	return nil
}

// New makes a Host.
func New(cfg Config) (*Host, error) { return &Host{cfg}, nil }

// List gives what Look finds.
func (h *Host) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	if _, err := relative(zone, name); err != nil {
		return nil, err
	}
	if h.cfg.Look == nil {
		return nil, nil
	}
	return h.cfg.Look(ctx, name, kind)
}

// Create succeeds if the value is there; else it says what to do.
func (h *Host) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	return h.tell(ctx, Create, zone, r)
}

// Delete succeeds if the value is gone and that can be seen; else it says what to do.
func (h *Host) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	return h.tell(ctx, Delete, zone, r)
}

func (h *Host) tell(ctx context.Context, what Action, zone string, r postern.DNSRecord) error {
	there, err := h.List(ctx, zone, r.Name, r.Type)
	if err != nil {
		return err
	}
	if h.cfg.Look != nil {
		has := false
		for _, t := range there {
			has = has || t.Same(r)
		}
		if has == (what == Create) {
			return nil
		}
	}
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	e := postern.Errorf(postern.Denied, op, "")
	e.Err = &Instruction{Action: what, Zone: zone, Record: r, Page: h.cfg.Page}
	return e
}

func relative(zone, name string) (string, error) {
	zone, name = strings.ToLower(strings.TrimSuffix(zone, ".")), strings.ToLower(strings.TrimSuffix(name, "."))
	if name == zone && zone != "" {
		return "", nil
	}
	rel, is := strings.CutSuffix(name, "."+zone)
	if !is || rel == "" || zone == "" {
		return "", postern.Errorf(postern.Invalid, op, "%s is not in the zone %s", name, zone)
	}
	return rel, nil
}
