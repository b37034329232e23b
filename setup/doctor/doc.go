// Package doctor finds what is wrong with a set-up. It asks everything at once, changes
// nothing, and says of each thing how it is, what was seen, and what to do.
//
// What lives here: the running of checks, the table of all codes, the checks of what is
// nobody's in particular (configuration, clock, disk, the public address, DNS), and the
// answers that the running gateway gives to a doctor who calls from outside. What may
// not: what only one provider or platform knows; that side examines itself
// (setup.Examiner), though its codes stand in the table here.
package doctor
