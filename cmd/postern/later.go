package main

type doctorCmd struct{}

// Run answers until the command exists.
func (doctorCmd) Run() error { return errNotYet("doctor") }
