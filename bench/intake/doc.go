// Package intake measures how many webhooks a second are accepted durably, beside two
// anchors of the same run: a handler that only verifies, and a bare handler that
// verifies and commits the same row through a group commit of its own.
//
//	go test ./bench/intake -run '^$' -bench Intake -benchtime 1x
//
// Rounds are interleaved and medians are printed, with ratios. Client, handler and
// database share the machine.
package intake
