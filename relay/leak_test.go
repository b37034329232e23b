package relay

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing goes on after the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
