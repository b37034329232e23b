package main

type explainCmd struct {
	ID string `arg:"" help:"An event, message or delivery id."`
}

// Run tells what happened to one thing.
func (cmd *explainCmd) Run(a *app) error {
	return errNotYet("explain")
}
