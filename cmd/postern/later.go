package main

type replayCmd struct{}

// Run answers until the command exists.
func (replayCmd) Run() error { return errNotYet("replay") }
