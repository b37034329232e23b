// Package eml reads mails the way the sandbox's emulators need it: lenient,
// streaming, and able to give a mail back byte for byte.
//
// It belongs to the emulated world. Postern reads mail with its own package
// letter; the two share no code, so that one mistake cannot hide on both sides.
package eml
