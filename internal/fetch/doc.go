// Package fetch reads files from addresses that strangers wrote.
//
// Here lives everything that keeps such a request harmless: which hosts may be
// asked, that a name does not lead to a private network (checked on the address
// that is really dialled, so that a name which changes its mind gains nothing),
// redirects, and limits of time and size. What the bytes mean, and which header
// unlocks them, is the caller's business; no vendor is known here.
package fetch
