// Package relay holds the rules: what becomes of what arrived.
//
// Things flow one way. Sort (sort.go) looks at an arrival before it is answered and
// says into which lanes it goes. Handle (handle.go) works a lane's first jobs:
//
//   - outbound.go: chat messages become an e-mail (policy.go: to whom and why not;
//     compose.go: how it reads; message.go: its bytes; send.go: the call and its doubt)
//   - inbound.go: an e-mail becomes chat messages (guard.go: is it his, is it a
//     person's; post.go: the calls and their doubt)
//   - receipt.go: what became of an e-mail becomes delivered and read marks (cover.go:
//     what a mark would claim; ask.go: events that were lost)
//   - reconcile.go, sweep.go, heard.go: messages whose webhook was lost
//   - gate.go: services that are down are left alone
//
// What lives here: decisions, and the order of writing down and doing. What may not:
// HTTP, SQL, and the name of any platform or provider.
package relay
