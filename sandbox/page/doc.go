// Package page is the page on which a newcomer plays, and the server behind it.
//
// What lives here: one page of plain HTML, CSS and ES modules; the one stream that
// merges the books of both emulators, the mailboxes' happenings and the gateway's notes
// into readable lines; and a door to the few calls that the page makes. What may not:
// anything that the page could do and another program could not. Tokens stay on this
// side.
//
// The server is for loopback. A page elsewhere in the same browser can reach it, so it
// answers under loopback names only (DNS rebinding), and changes something only for a
// request that its own page made (CSRF).
package page
