package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

type serveCmd struct{}

// Run runs the gateway until the context ends.
func (serveCmd) Run(a *app) error {
	cfg, err := a.loadConfig("serve")
	if err != nil {
		return err
	}
	return serve(a.ctx, a, cfg)
}

// serve runs the gateway until ctx ends.
func serve(ctx context.Context, a *app, cfg *Config) error {
	log := newLogger(a.stderr, cfg.Log)
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	if os.Getenv("GOGC") == "" {
		// What lives is small (some 10 MB) beside what passes through: half of the collecting
		// is saved for as much memory again.
		debug.SetGCPercent(200)
	}
	g, err := newGateway(ctx, cfg, log)
	if err != nil && ctx.Err() != nil { // told to end before it had begun: nothing went wrong
		return nil
	}
	if err != nil {
		return err
	}
	defer g.Close()
	ln, err := g.front.Listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen (POSTERN_LISTEN) %s cannot be listened on: %w", cfg.Listen, err)
	}
	// What starting took (migrations, templates, certificates) is given back, or it would stay
	// for as long as nothing happens.
	give := time.AfterFunc(time.Second, debug.FreeOSMemory)
	defer give.Stop()
	log.Info("postern serves", "listen", ln.Addr().String(), "tls", cfg.TLS.Mode, "public_url", cfg.PublicURL, "domain", cfg.Mailgun.Domain, "version", versionLine())
	return g.Serve(ctx, ln)
}
