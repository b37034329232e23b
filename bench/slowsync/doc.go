// Package slowsync gives a program a disk whose fsync takes longer: the kernel stops
// each fsync and fdatasync of the program and of its children (seccomp user
// notification) and a process beside it lets them go on after the delay. It works for
// any program, static ones too, and touches no other system call.
package slowsync
