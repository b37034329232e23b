package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern/setup/doctor"
)

func allBroken() []broken {
	return slices.Concat(brokenConfigs(), brokenMachines(), brokenAddresses(), brokenMailguns(), brokenSendbirds(), brokenZones(), brokenRecords())
}

// TestBroken: each broken set-up is found by its code, and by no other; no secret shows;
// what setup can mend it mends, and takes nothing from anybody.
func TestBroken(t *testing.T) {
	for _, b := range allBroken() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			b.make(c)
			r, text, status := c.examine()
			want := slices.Sorted(slices.Values(b.codes))
			if have := r.problems(); !slices.Equal(have, want) {
				t.Errorf("found %q, want %q", have, want)
			}
			c.silent(text)
			for _, f := range r.Findings {
				if s, _, _ := doctor.Entry(f.Code); s == nil {
					t.Errorf("%s is not in the table", f.Code)
				}
				bad := f.Health == "warning" || f.Health == "failure"
				if bad {
					t.Logf("%-8s %s: %s => %s", f.Health, f.Code, f.Evidence, f.Remedy)
				}
				if bad && (f.Evidence == "" || f.Remedy == "") {
					t.Errorf("%s says too little: %+v", f.Code, f)
				}
			}
			if status == 0 || status != r.Status {
				t.Errorf("status %d, in the report %d", status, r.Status)
			}
			if b.mends {
				c.mend(b)
			}
		})
	}
}

// TestRegionContradicts: the one case that would call the true Mailgun.
func TestRegionContradicts(t *testing.T) {
	s := doctor.Settings{Region: "us", APIURL: "https://api.eu.mailgun.net/", Regions: map[string]string{"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}}
	r := doctor.Examine(t.Context(), s.Checks(), nil)
	if len(r.Findings) == 0 || r.Findings[0].Code != "CONFIG-REGION" || r.Status() != 2 {
		t.Errorf("%+v", r.Findings)
	}
}

// silent: nothing of what is secret is printed.
func (c *clinic) silent(text string) {
	c.t.Helper()
	for k, v := range c.env {
		secret := strings.HasSuffix(k, "_KEY") || strings.HasSuffix(k, "_KEYS") || strings.HasSuffix(k, "_TOKEN") || k == "POSTERN_SECRET"
		if secret && v != "" && strings.Contains(text, v) {
			c.t.Errorf("%s is shown", k)
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "secret-path") {
		c.t.Error("a password, or somebody's address, is shown")
	}
}

// TestEveryCodeIsProvoked: the table promises nothing that no case proves, and no case
// finds what the table does not explain.
func TestEveryCodeIsProvoked(t *testing.T) {
	provoked := map[string]bool{}
	for _, b := range allBroken() {
		for _, code := range b.codes {
			provoked[code] = true
			if _, _, ok := doctor.Entry(code); !ok {
				t.Errorf("%s: %s is not in the table", b.name, code)
			}
		}
	}
	for _, code := range append(tripCodes(), "CONFIG-REGION") { // TestRoundTrip, TestRegionContradicts
		provoked[code] = true
	}
	for _, g := range doctor.Catalogue() {
		for _, s := range g.Subjects {
			for _, p := range s.Problems {
				if !provoked[p.Code] {
					t.Errorf("no case provokes %s", p.Code)
				}
			}
		}
	}
}
