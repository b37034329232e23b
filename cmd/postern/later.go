package main

type replayCmd struct{}

// Run answers until the command exists.
func (replayCmd) Run() error { return errNotYet("replay") }

type doctorCmd struct{}

// Run answers until the command exists.
func (doctorCmd) Run() error { return errNotYet("doctor") }
