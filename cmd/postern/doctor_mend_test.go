package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/postern-chat/postern/sandbox/dns"
)

// tripCodes are provoked by TestRoundTrip.
func tripCodes() []string {
	return []string{"ROUND-TRIP-SEND", "ROUND-TRIP-INBOUND", "ROUND-TRIP-EVENTS"}
}

// mend runs setup in the broken world and asks the doctor again.
func (c *clinic) mend(b broken) {
	c.t.Helper()
	before, routes := c.dns.Records("example.com"), c.othersRoutes()
	var out, errOut bytes.Buffer
	args := append([]string{"setup", "--yes", "--wait=5s"}, b.args...)
	run(context.Background(), args, strings.NewReader(""), &out, &errOut, c.environ())
	r, _, _ := c.examine()
	want := slices.Sorted(slices.Values(b.left))
	if have := r.problems(); !slices.Equal(have, want) {
		c.t.Errorf("after setup: found %q, want %q\n%s%s", have, want, &out, &errOut)
	}
	after := c.dns.Records("example.com")
	for _, r := range before {
		if !kept(r, after) && !r.System {
			c.t.Errorf("setup took away %v\n%s", r, &out)
		}
	}
	if now := c.othersRoutes(); !slices.Equal(now, routes) {
		c.t.Errorf("others' routes: %q, were %q", now, routes)
	}
}

// kept tells whether a record is there still; of an SPF record its terms. A key of the
// provider's own name may be replaced: it is nobody else's.
func kept(r dns.Record, after []dns.Record) bool {
	if strings.HasSuffix(r.Name, "._domainkey."+clinicDomain) {
		return true
	}
	return slices.ContainsFunc(after, func(o dns.Record) bool {
		if o.Name != r.Name || o.Type != r.Type {
			return false
		}
		if strings.HasPrefix(r.Data, "v=spf1") && strings.HasPrefix(o.Data, "v=spf1") {
			return !slices.ContainsFunc(strings.Fields(r.Data), func(term string) bool { return !slices.Contains(strings.Fields(o.Data), term) })
		}
		return o.Data == r.Data && o.Priority == r.Priority
	})
}

// othersRoutes are the routes that do not post to us.
func (c *clinic) othersRoutes() []string {
	var list struct {
		Items []struct {
			Expression string
			Actions    []string
		}
	}
	if err := json.Unmarshal([]byte(c.mg("GET", "/v3/routes", nil)), &list); err != nil {
		c.t.Fatal(err)
	}
	var all []string
	for _, r := range list.Items {
		if line := r.Expression + " " + strings.Join(r.Actions, " "); !strings.Contains(line, clinicHost) {
			all = append(all, line)
		}
	}
	return all
}
