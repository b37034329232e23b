//go:build unix

package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store/storetest"
)

func TestPostgresKeep(t *testing.T) {
	storetest.RunKeep(t, postgres(pgtest.NoFsync()))
	goleak.VerifyNone(t)
}
