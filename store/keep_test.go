package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/store/storetest"
)

func TestSQLiteKeep(t *testing.T) {
	storetest.RunKeep(t, sqlite())
	goleak.VerifyNone(t)
}
