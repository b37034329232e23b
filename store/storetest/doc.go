// Package storetest holds the one suite that every database of the store must pass.
// It is imported by tests only. No test of it sleeps to synchronise: time is a clock
// that the test moves, or the test waits for what it wants to see.
package storetest
