package storetest

import (
	"testing"

	"github.com/postern-chat/postern/store"
)

// Whether a lane has open jobs of a kind, asked within a transaction and without.
func testKinds(t *testing.T, b Backend) {
	s, _ := open(t, b)
	has := func(lane, kind string) bool {
		t.Helper()
		var inside bool
		do(t, s, func(tx *store.Tx) (err error) {
			inside, err = tx.HasKind(lane, kind)
			return err
		})
		if outside := must(s.LaneHas(ctxOf(t), lane, kind))(t); outside != inside {
			t.Errorf("%s in %s: %v, and within a transaction %v", kind, lane, outside, inside)
		}
		return inside
	}
	if has("chat/a", "x") {
		t.Error("there is no such lane")
	}
	record(t, s, "1", job("chat/a", "x"), job("chat/b", "y"))
	if !has("chat/a", "x") || has("chat/a", "y") || has("chat/b", "x") || !has("chat/b", "y") {
		t.Error("lanes or kinds are confused")
	}
	for _, l := range claim(t, s) {
		finish(t, s, l)
	}
	if has("chat/a", "x") {
		t.Error("it is done")
	}
}
