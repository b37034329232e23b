// Package contract checks the program from outside: it builds the binary, starts it with
// POSTERN_* variables against a Sendbird and a Mailgun of its own, and holds it to the
// contract. It knows the services only from their documents, and nothing of the program
// but its commands, variables, paths and mails: it imports no package of ours but the
// helper that starts a PostgreSQL.
package contract
