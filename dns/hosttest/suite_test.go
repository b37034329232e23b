package hosttest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-chat/postern"
)

// memory is a host that keeps to the rules, but for the fault that it is given.
type memory struct {
	mu    sync.Mutex
	fault string
	rs    []postern.DNSRecord
}

func at(r postern.DNSRecord, name, kind string) bool {
	return strings.EqualFold(strings.TrimSuffix(r.Name, "."), strings.TrimSuffix(name, ".")) && strings.EqualFold(r.Type, kind)
}

func (m *memory) check(ctx context.Context, zone, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name != zone && !strings.HasSuffix(name, "."+zone) {
		return postern.Errorf(postern.Invalid, "memory", "not in the zone")
	}
	return nil
}

func (m *memory) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.rs), func(r postern.DNSRecord) bool { return !at(r, name, kind) }), m.check(ctx, zone, name)
}

func (m *memory) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, zone, r.Name); err != nil {
		return err
	}
	same := r.Same
	switch m.fault {
	case "replaces":
		m.rs = slices.DeleteFunc(m.rs, func(o postern.DNSRecord) bool { return at(o, r.Name, r.Type) })
	case "doubles":
		same = func(postern.DNSRecord) bool { return false }
	case "folds texts":
		same = func(o postern.DNSRecord) bool { return at(o, r.Name, r.Type) && strings.EqualFold(o.Value, r.Value) }
	case "loses priority zero":
		if r.Type == "MX" && r.Priority == 0 {
			r.Priority = 1
		}
	case "cuts texts":
		r.Value = r.Value[:min(len(r.Value), 255)]
	}
	if slices.ContainsFunc(m.rs, same) {
		return nil
	}
	for _, o := range m.rs {
		if strings.EqualFold(o.Name, r.Name) && (o.Type == "CNAME" || r.Type == "CNAME") {
			return postern.Errorf(postern.Permanent, "memory", "beside a CNAME")
		}
	}
	m.rs = append(m.rs, r)
	return nil
}

func (m *memory) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, zone, r.Name); err != nil {
		return err
	}
	n := len(m.rs)
	m.rs = slices.DeleteFunc(m.rs, func(o postern.DNSRecord) bool {
		return o.Same(r) || m.fault == "deletes all" && at(o, r.Name, r.Type)
	})
	if n == len(m.rs) && m.fault == "misses what is gone" {
		return postern.Errorf(postern.Permanent, "memory", "no such record").Because(postern.CauseNotFound)
	}
	return nil
}

const envFault = "HOSTTEST_FAULT"

// TestSuite runs the suite on a good host, or in a process of its own on a bad one.
func TestSuite(t *testing.T) {
	Run(t, func(*testing.T) Case {
		return Case{Host: &memory{fault: os.Getenv(envFault)}, Zone: "example.test"}
	})
}

// Each fault is found.
func TestSuiteFindsFaults(t *testing.T) {
	for _, fault := range []string{"replaces", "doubles", "folds texts", "loses priority zero", "cuts texts", "deletes all", "misses what is gone"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSuite$")
		cmd.Env = append(os.Environ(), envFault+"="+fault)
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("a host that %s passes:\n%s", fault, out)
		}
	}
}
