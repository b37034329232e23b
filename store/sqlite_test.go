package store_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/store/storetest"
)

func sqlite() storetest.Backend {
	return storetest.Backend{
		Fresh:  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "house.db") },
		Queued: (*store.Store).Queued,
	}
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, sqlite())
	goleak.VerifyNone(t)
}
