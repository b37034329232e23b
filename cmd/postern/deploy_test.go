package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-chat/postern/store"
)

// Every metric that the dashboard and the alerts name is one that /metrics has.
func TestDeployMetrics(t *testing.T) {
	m := newMeters()
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + t.TempDir() + "/p.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	m.watch(s, nil)
	descs := make(chan *prometheus.Desc)
	go func() { m.registry.Describe(descs); close(descs) }()
	has := map[string]bool{}
	for d := range descs {
		if name := regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(d.String()); name != nil {
			has[name[1]] = true
		}
	}
	for _, file := range []string{"dashboard.json", "alerts.yaml", "alerts_test.yaml"} {
		text, err := os.ReadFile("../../deploy/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bpostern_[a-z_]+`).FindAllString(string(text), -1) {
			if !has[name] && !has[strings.TrimSuffix(strings.TrimSuffix(name, "_count"), "_bucket")] {
				t.Errorf("%s names %s, which /metrics does not have", file, name)
			}
		}
	}
}
