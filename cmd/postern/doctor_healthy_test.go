package main

import "testing"

// TestDoctorContent: in a world in order there is nothing to complain of.
func TestDoctorContent(t *testing.T) {
	r, text, status := newClinic(t).examine()
	if p := r.problems(); len(p) > 0 || status != 0 || r.Verdict != "ok" {
		t.Errorf("status %d, found %q: %s", status, p, text)
	}
	for _, f := range r.Findings {
		t.Logf("%-8s %-18s %s", f.Health, f.Code, f.Evidence)
	}
}
