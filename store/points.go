//go:build !killpoints

package store

// Every write has a point before its COMMIT and one after it, when it is durable and
// nobody was told yet. In the build of tests/chaos that has the tag killpoints the
// process can be killed there (killpoints.go); in every other nothing happens.

// origin is where an operation comes from.
type origin struct{}

func (origin) begin() {}

func (*writer) point([]*op, string) {}
