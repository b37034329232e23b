package main

type setupCmd struct{}

// Run answers until the command exists.
func (setupCmd) Run() error { return errNotYet("setup") }

type doctorCmd struct{}

// Run answers until the command exists.
func (doctorCmd) Run() error { return errNotYet("doctor") }
