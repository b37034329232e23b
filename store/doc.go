// Package store is the memory of the house, and its lanes. It is the only package
// that knows SQL.
//
// What lives here: recording what arrives (one transaction: the event, its
// de-duplication key and its jobs), leasing lanes to workers, and what the rules
// remember (people, conversations, deliveries, posts, held mail, notes). What may
// not: any rule about when a mail goes out or a post is made; that is relay's.
//
// One type, Store, stands on two databases. sqlite.go and postgres.go hold what
// differs; everything else is one set of statements. All writes pass through
// writers that gather what waits and commit it once (group commit), so a function
// given to Do may run more than once and must only write through its Tx.
// What functions do to lanes is written at the end of their group, all lanes' rows
// locked in one order; on PostgreSQL a group of arrivals is one statement. An
// operation that fails is undone alone, a group that met another transaction or lost
// its connection is tried again. Strings are made fit for both databases on their way.
//
// A lane is a row while it has open jobs. Its due_at says when it wants a worker; a
// lease is nothing but a due_at in the future together with a fence, the token
// without which the owner's later writes are refused. A dead owner's lane is due
// again when its lease runs out.
package store
