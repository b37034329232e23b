package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/store"
)

// meters are what /metrics shows. No label names a channel, a user or an address.
type meters struct {
	registry *prometheus.Registry
	arrivals *prometheus.CounterVec
	decided  *prometheus.CounterVec
	calls    *prometheus.HistogramVec
}

func newMeters() *meters {
	m := &meters{
		registry: prometheus.NewRegistry(),
		arrivals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_events_total", Help: "Webhooks and mails that arrived, by source and outcome.",
		}, []string{"source", "outcome"}),
		decided: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_decisions_total", Help: "Messages that were not mailed and mails that were not posted, by what became of them and why.",
		}, []string{"what", "why"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postern_remote_call_seconds", Help: "Calls to other services, by service, call and outcome.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"service", "call", "outcome"}),
	}
	m.registry.MustRegister(m.arrivals, m.decided, m.calls, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector())
	return m
}

func (m *meters) arrived(source, outcome string) { m.arrivals.WithLabelValues(source, outcome).Inc() }

func (m *meters) decision(what, why string) { m.decided.WithLabelValues(what, why).Inc() }

func (m *meters) remote(service string) observer {
	return func(call, outcome string, took time.Duration) {
		m.calls.WithLabelValues(service, call, outcome).Observe(took.Seconds())
	}
}

func (m *meters) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// watch adds what the store and the rules know, read when somebody asks.
func (m *meters) watch(s *store.Store, r *relay.Rules) {
	m.registry.MustRegister(storeCollector{s}, remoteCollector{r})
}

// remoteCollector tells how we stand with the services that are called.
type remoteCollector struct{ r *relay.Rules }

var (
	descPaused   = prometheus.NewDesc("postern_remote_paused", "1 while a service is left alone because it is down or asked for it.", []string{"service"}, nil)
	descInFlight = prometheus.NewDesc("postern_remote_calls_in_flight", "Calls to a service under way.", []string{"service"}, nil)
)

// Describe implements prometheus.Collector.
func (remoteCollector) Describe(ch chan<- *prometheus.Desc) { ch <- descPaused; ch <- descInFlight }

// Collect implements prometheus.Collector.
func (c remoteCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.r.Remotes() {
		paused := 0.0
		if s.Paused {
			paused = 1
		}
		ch <- prometheus.MustNewConstMetric(descPaused, prometheus.GaugeValue, paused, s.Name)
		ch <- prometheus.MustNewConstMetric(descInFlight, prometheus.GaugeValue, float64(s.InFlight), s.Name)
	}
}

// storeCollector reads the store at each scrape.
type storeCollector struct{ s *store.Store }

var (
	descJobs       = prometheus.NewDesc("postern_jobs", "Open jobs.", nil, nil)
	descLanes      = prometheus.NewDesc("postern_lanes", "Lanes with open jobs.", nil, nil)
	descDead       = prometheus.NewDesc("postern_dead_jobs", "Jobs that were given up.", nil, nil)
	descOldest     = prometheus.NewDesc("postern_oldest_job_age_seconds", "Age of the oldest open job; 0 if there is none.", nil, nil)
	descDeliveries = prometheus.NewDesc("postern_deliveries", "Deliveries by state.", []string{"state"}, nil)
)

// Describe implements prometheus.Collector.
func (storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descJobs, descLanes, descDead, descOldest, descDeliveries} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. A store that does not answer shows nothing
// rather than zeros.
func (c storeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if b, err := c.s.Backlog(ctx); err == nil {
		gauge(descJobs, float64(b.Jobs))
		gauge(descLanes, float64(b.Lanes))
		gauge(descDead, float64(b.Dead))
		age := 0.0
		if !b.Oldest.IsZero() {
			age = time.Since(b.Oldest).Seconds()
		}
		gauge(descOldest, age)
	}
	if counts, err := c.s.DeliveryCounts(ctx); err == nil {
		for state, n := range counts {
			gauge(descDeliveries, float64(n), state)
		}
	}
}
