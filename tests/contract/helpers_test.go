package contract

import (
	"testing"

	"fmt"
	"github.com/postern-chat/postern/internal/pgtest"
	"strings"
)

func contains(s, sub string) bool { return strings.Contains(s, sub) }

// want is an error unless got is what is wanted.
func want[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

// databases are the two kinds.
func databases(testing.TB) []database {
	return []database{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/postern.db" }},
		{"postgres", func(t *testing.T) string { return pgtest.Start(t) }},
	}
}
