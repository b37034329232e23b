// Package archtest holds the shape of the house: which package may import which, and
// a few rules that hold in every file. It has tests only; rules.go is the list to
// read and to change, each with its reason.
package archtest
