// Package sendbird speaks with Sendbird Chat: the client of its Platform API v3, and
// the reader of its webhooks.
//
// Here lives what is true of Sendbird and of nobody else: its field names (three for
// one and the same thing), its error codes, its limits of speed, its receipts, the mark
// that we put on our own messages. What to do with a message is decided elsewhere;
// this package imports the root package, internal/fetch and libraries.
//
// Undocumented points are settings or are read with tolerance: ids may be numbers or
// strings, flags may be numbers, objects may be absent. Errors are classed by their
// code, because Sendbird answers 400 for nearly everything.
package sendbird
