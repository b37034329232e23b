package main

type sandboxCmd struct {
	Headless bool  `help:"Print one line of JSON with every address, and no more."`
	Seed     int64 `placeholder:"N" help:"Make whatever is random the same on every run."`
}

// Run starts emulators and gateway, and goes on until the context ends.
func (cmd *sandboxCmd) Run(a *app) error {
	return errNotYet("sandbox")
}
