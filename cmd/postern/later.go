package main

type replayCmd struct{}

// Run answers until the command exists.
func (replayCmd) Run() error { return errNotYet("replay") }

type setupCmd struct{}

// Run answers until the command exists.
func (setupCmd) Run() error { return errNotYet("setup") }
