package main

import "fmt"

type serveCmd struct{}

// Run runs the gateway until the context ends.
func (serveCmd) Run(a *app) error {
	cfg, err := a.loadConfig("serve")
	if err != nil {
		return err
	}
	log := newLogger(a.stderr, cfg.Log)
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	g, err := newGateway(a.ctx, cfg, log)
	if err != nil {
		return err
	}
	defer g.Close()
	ln, err := g.front.Listen(a.ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen (POSTERN_LISTEN) %s cannot be listened on: %w", cfg.Listen, err)
	}
	log.Info("postern serves", "listen", ln.Addr().String(), "tls", cfg.TLS.Mode, "public_url", cfg.PublicURL, "domain", cfg.Mailgun.Domain, "version", versionLine())
	return g.Serve(a.ctx, ln)
}
