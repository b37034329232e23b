// Package sandbox is the outside world to run against: an emulated Sendbird, an
// emulated Mailgun, and the mailboxes of people, on loopback and in one process.
//
// What lives here: putting the emulators together, and the page on which a newcomer
// plays. What may not: the gateway. Whoever starts a world starts the gateway too and
// tells each where the other is; the gateway does not know that its world is not the
// real one.
package sandbox
