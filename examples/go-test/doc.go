// Package desk is a small program of somebody else's: a support desk that has nothing
// to do with Postern. It listens to a Sendbird application, and when a message says
// "urgent" it mails whoever is on duty through Mailgun.
//
// It is here for its tests, desk_test.go: they run it against Postern's sandbox, which
// is a Sendbird and a Mailgun on this machine, and see what the real ones would rarely
// show: a Mailgun that answers 500 though it sent, a webhook that comes twice.
//
// To do the same in your module: go get github.com/postern-chat/postern/sandbox, as a
// dependency of your tests only.
package desk
