// Command postern is the program: command line, configuration and wiring.
//
// It is the one place that knows every other package. Nothing that decides what
// happens to a message lives here.
package main
