//go:build unix

package intake

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
)

var (
	rounds = flag.Int("rounds", 5, "interleaved rounds")
	each   = flag.Duration("each", 2*time.Second, "of one contender in one round")
	conns  = flag.Int("conns", 64, "connections")
	lanes  = flag.Int("lanes", 10_000, "lanes that the webhooks are for")
	only   = flag.String("only", "", "contenders whose names contain this")
)

// contender is a handler under load.
type contender struct {
	name    string
	anchor  string // what its ratio is to
	handler http.HandlerFunc
	addr    string
	results []result
}

func BenchmarkIntake(b *testing.B) {
	dsn := pgtest.Start(b)
	cs := contenders(b, dsn)
	var keys atomic.Uint64
	for b.Loop() {
		for range *rounds {
			for _, c := range cs {
				c.results = append(c.results, measure(b, c.addr, *conns, &keys, *each))
			}
		}
	}
	report(b, cs)
}

func contenders(b *testing.B, dsn string) []*contender {
	all := []*contender{
		{name: "verify only", handler: func(w http.ResponseWriter, r *http.Request) { verified(w, r) }},
		{name: "bare SQLite", anchor: "verify only", handler: recorded(bareSQLite(b).record)},
		{name: "store SQLite", anchor: "bare SQLite", handler: recorded(house(b, "sqlite:"+filepath.Join(b.TempDir(), "house.db")))},
		{name: "bare PostgreSQL", anchor: "verify only", handler: recorded(barePostgres(b, dsn).record)},
		{name: "store PostgreSQL", anchor: "bare PostgreSQL", handler: recorded(house(b, dsn))},
	}
	all = slices.DeleteFunc(all, func(c *contender) bool { return !strings.Contains(c.name, *only) })
	for _, c := range all {
		s := httptest.NewServer(c.handler)
		b.Cleanup(s.Close)
		c.addr = strings.TrimPrefix(s.URL, "http://")
	}
	return all
}

// recorded verifies, records and answers.
func recorded(record func(key string, body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, body, ok := verified(w, r)
		if !ok {
			return
		}
		if err := record(key, body); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// house records through the store, with one job.
func house(b *testing.B, dsn string) func(string, []byte) error {
	s, err := store.Open(context.Background(), store.Config{Database: dsn})
	must(b, err)
	b.Cleanup(func() { _ = s.Close() })
	return func(key string, body []byte) error {
		_, _, err := s.Record(context.Background(), store.Arrival{Source: "sendbird", Dedup: key, Body: body,
			Jobs: []store.LaneJob{{Lane: laneOf(key), Kind: "chat", Delay: 10 * time.Second, Cap: time.Minute}}})
		return err
	}
}

func report(b *testing.B, cs []*contender) {
	medians := map[string]float64{}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "\n%d connections, median of %d rounds of %v\n\t1/s\tp50\tp99\tcpu\tratio\tto\n", *conns, *rounds, *each)
	for _, c := range cs {
		m := median(c.results, func(r result) float64 { return r.perSecond })
		medians[c.name] = m
		ratio := ""
		if a := medians[c.anchor]; a > 0 {
			ratio = fmt.Sprintf("%.2f", m/a)
			b.ReportMetric(m/a, strings.ReplaceAll(c.name, " ", "-")+"-ratio")
		}
		fmt.Fprintf(out, "%s\t%.0f\t%v\t%v\t%v\t%s\t%s\n", c.name, m,
			time.Duration(median(c.results, func(r result) float64 { return float64(r.p50) })).Round(10*time.Microsecond),
			time.Duration(median(c.results, func(r result) float64 { return float64(r.p99) })).Round(10*time.Microsecond),
			time.Duration(median(c.results, func(r result) float64 { return float64(r.cpu) })).Round(time.Microsecond), ratio, c.anchor)
	}
	_ = out.Flush()
}

func median(rs []result, of func(result) float64) float64 {
	var vs []float64
	for _, r := range rs {
		vs = append(vs, of(r))
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}
