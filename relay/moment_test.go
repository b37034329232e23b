package relay

import (
	"context"
	"testing"

	"github.com/postern-chat/postern"
)

// A question is asked on a goroutine of its own: a defect there must not end the process.
func TestMomentsPanic(t *testing.T) {
	var m moments[int]
	_, err := m.get(t.Context(), start, "key", func(context.Context) (int, error) { panic("a defect") })
	if postern.KindOf(err) != postern.Internal {
		t.Error(err)
	}
	if v, err := m.get(t.Context(), start, "key", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Error(v, err)
	}
}
