package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/console"
	"github.com/postern-chat/postern/door"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/keep"
	"github.com/postern-chat/postern/listen"
	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/setup/doctor"
	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/webhook"
)

// gateway is the house, wired together.
type gateway struct {
	cfg     *Config
	log     *slog.Logger
	meters  *meters
	store   *store.Store
	rules   *relay.Rules
	workers *store.Workers
	keeper  *keep.Keeper
	front   *listen.Front
	handler http.Handler  // of listen
	private http.Handler  // of server.private_listen; nil if there is none
	leaving chan struct{} // closed: we are asked to stop
}

// openStore opens the memory, for serve and for the commands that only look.
func openStore(ctx context.Context, cfg *Config, log *slog.Logger) (*store.Store, error) {
	s, err := store.Open(ctx, store.Config{Database: string(cfg.Database), MaxConnections: cfg.Server.DatabaseConnections, Discarded: relay.Discarded, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("database (POSTERN_DATABASE) %v cannot be used: %w", cfg.Database, err)
	}
	return s, nil
}

// newGateway wires the house; close it with Close.
func newGateway(ctx context.Context, cfg *Config, log *slog.Logger) (g *gateway, err error) {
	g = &gateway{cfg: cfg, log: log, meters: newMeters(), leaving: make(chan struct{})}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	if g.front, err = newFront(cfg, log); err != nil {
		return g, fmt.Errorf("tls or server.trusted_proxies: %w", err)
	}
	keys, err := seal.Parse(string(cfg.Secret))
	if err != nil {
		return g, fmt.Errorf("secret (POSTERN_SECRET): %w", err)
	}
	blobs, err := openBlobs(ctx, cfg)
	if err != nil {
		return g, err
	}
	if g.store, err = openStore(ctx, cfg, log); err != nil {
		return g, err
	}
	limits := g.store.NewLimits()
	platform, err := platforms()[0].make(cfg, log, g.meters.remote(platforms()[0].name), limits)
	if err != nil {
		return g, err
	}
	provider, err := providers()[0].make(cfg, log, g.meters.remote(providers()[0].name), limits)
	if err != nil {
		return g, err
	}
	if g.rules, err = newRules(cfg, log, g.meters, g.store, blobs, keys, platform, provider); err != nil {
		return g, err
	}
	if g.keeper, err = newKeeper(cfg, log, g.store, blobs); err != nil {
		return g, err
	}
	g.workers = g.store.NewWorkers(cfg.Server.Workers, log, g.rules.Handle)
	g.meters.watch(g.store, g.rules)
	return g, g.route(blobs, platform, provider)
}

func newFront(cfg *Config, log *slog.Logger) (*listen.Front, error) {
	t := cfg.TLS
	return listen.New(listen.Config{
		Mode: t.Mode, CertFile: t.CertFile, KeyFile: t.KeyFile, Names: t.Names, Email: t.Email, CA: t.CA, CARoots: t.CARoots,
		Storage: t.Storage, HTTPListen: t.HTTPListen, TrustedProxies: cfg.Server.TrustedProxies, Logger: log,
	})
}

func newRules(cfg *Config, log *slog.Logger, m *meters, s *store.Store, blobs blob.Store, keys *seal.Keys, platform chatPlatform, provider mailProvider) (*relay.Rules, error) {
	return relay.New(relay.Config{
		Store: s, Blobs: blobs, Keys: keys, Platform: platform, PlatformName: platforms()[0].name, Provider: provider,
		Domain: cfg.Mailgun.Domain, PublicURL: strings.TrimRight(cfg.PublicURL, "/"), FromName: cfg.Mail.FromName,
		When: relay.When(cfg.Notify.When), Delay: cfg.Notify.Delay, DelayMax: cfg.Notify.DelayMax,
		UserIDIsAddress: cfg.People.UserIDIsAddress, AttachLimit: int64(cfg.Mail.AttachLimit),
		Read: relay.ReadPolicy(cfg.Receipts.Read), HumanAfter: cfg.Receipts.HumanAfter, Strangers: relay.Strangers(cfg.Inbound.Strangers),
		UnsureAfter: cfg.Mailgun.UnsureAfter, MaxText: cfg.Sendbird.MaxMessageLength, Logger: log, Observe: m.decision,
		Reconcile:     relay.Reconcile{Window: cfg.Reconcile.Window, Every: cfg.Reconcile.Every, PerMinute: cfg.Reconcile.PerMinute, Channels: cfg.Reconcile.Channels},
		UnprovenAfter: cfg.Receipts.UnprovenAfter, Slots: cfg.Server.Workers,
	})
}

// route gives each path of the contract its handler.
func (g *gateway) route(blobs blob.Store, platform chatPlatform, provider mailProvider) error {
	hooks, err := webhook.New(webhook.Config{Store: g.store, Blobs: blobs, Sorter: g.rules, Logger: g.log, Observe: g.meters.arrived})
	if err != nil {
		return err
	}
	pages, err := door.New(g.rules, g.log)
	if err != nil {
		return err
	}
	api, err := console.New(console.Config{Store: g.store, Rules: g.rules, Token: string(g.cfg.AdminToken), Secure: strings.HasPrefix(g.cfg.PublicURL, "https:"), Logger: g.log})
	if err != nil {
		return err
	}
	mux, private := http.NewServeMux(), http.NewServeMux()
	if g.cfg.Server.PrivateListen == "" {
		private = mux
	} else {
		g.private = g.front.Handler(private, "/api/", "/console/")
	}
	chat, mail := platforms()[0].name, providers()[0].name
	mux.Handle("POST /hooks/"+chat, hooks.Chat(chat, platform))
	mux.Handle("POST /hooks/"+mail+"/inbound/mime", hooks.Inbound(mail, provider, true))
	mux.Handle("POST /hooks/"+mail+"/inbound", hooks.Inbound(mail, provider, false))
	mux.Handle("POST /hooks/"+mail+"/events", hooks.MailEvents(mail, provider))
	private.Handle("GET /metrics", g.meters.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", g.ready)
	keys, err := seal.Parse(string(g.cfg.Secret))
	if err != nil {
		return err
	}
	mux.Handle(doctor.Path, doctor.Responder(keys, time.Now))
	pages.Register(mux)
	api.Register(private)
	api.RegisterPages(private)
	g.handler = g.front.Handler(mux, "/api/", "/console/")
	return nil
}

// stuckAfter is how long no lane may have been asked for before we call ourselves unready.
const stuckAfter = 30 * time.Second

// ready tells whether we can take work: the store answers and lanes are being asked
// for. Whether Sendbird and Mailgun are up is not our readiness.
func (g *gateway) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	why := ""
	select {
	case <-g.leaving:
		why = "stopping"
	default:
		if err := g.store.Ping(ctx); err != nil {
			why = "the store does not answer"
		} else if time.Since(g.workers.Moving()) > stuckAfter {
			why = "lanes do not move"
		}
	}
	if why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// Serve answers on the listener and works lanes until ctx ends; then it takes nothing
// new and finishes what runs.
func (g *gateway) Serve(ctx context.Context, ln net.Listener) error {
	servers := []*http.Server{g.server(g.handler)}
	listeners := []net.Listener{ln}
	if g.private != nil {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.cfg.Server.PrivateListen)
		if err != nil {
			return fmt.Errorf("server.private_listen %s cannot be listened on: %w", g.cfg.Server.PrivateListen, err)
		}
		servers, listeners = append(servers, g.server(g.private)), append(listeners, ln)
	}
	if err := g.rules.Begin(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	wg.Go(func() { g.workers.Run(work) })
	wg.Go(func() { g.keeper.Run(work) })
	wg.Go(func() { g.rounds(work) })
	failed := make(chan error, len(servers)+1)
	wg.Go(func() {
		if err := g.front.Run(work); err != nil {
			failed <- err
		}
	})
	for i, srv := range servers {
		go func() { failed <- srv.Serve(listeners[i]) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		close(g.leaving)
		g.log.Info("stopping: what runs is finished, the rest waits for the next start")
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, srv := range servers {
		err = errors.Join(err, srv.Shutdown(grace))
	}
	stopWork()
	wg.Wait()
	return err
}

func (g *gateway) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}

// roundsEvery is how often is looked whether something is due by the clock.
const roundsEvery = 2 * time.Second

// rounds has the rules look at the clock. What is due becomes jobs in lanes; whichever
// replica is first does it for all.
func (g *gateway) rounds(ctx context.Context) {
	t := time.NewTicker(roundsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := g.rules.Remember(last); err != nil {
				g.log.Warn("which conversations are active could not be kept", "error", err)
			}
			return
		case <-t.C:
			if err := g.rules.Rounds(ctx); err != nil && ctx.Err() == nil {
				g.log.Warn("what is due by the clock could not be begun", "error", err)
			}
		}
	}
}

// Close ends what newGateway began.
func (g *gateway) Close() {
	if g.store != nil {
		if err := g.store.Close(); err != nil {
			g.log.Warn("the store was not closed well", "error", err)
		}
	}
}
