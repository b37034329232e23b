package main

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
	return errNotYet("serve")
}
