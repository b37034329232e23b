//go:build unix

package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/store/storetest"
)

func postgres() storetest.Backend {
	return storetest.Backend{
		Fresh:  func(t testing.TB) string { return pgtest.Start(t, pgtest.NoFsync()) },
		Shared: true,
		Queued: (*store.Store).Queued,
	}
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, postgres())
	goleak.VerifyNone(t)
}
