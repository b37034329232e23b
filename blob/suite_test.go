package blob_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/blob/blobtest"
)

// place is a directory that tells where it is.
type place struct {
	*blob.Dir
	root string
}

func TestSuite(t *testing.T) {
	at := func(t *testing.T, root string) blob.Store {
		d, err := blob.NewDir(root)
		if err != nil {
			t.Fatal(err)
		}
		return &place{d, root}
	}
	blobtest.Run(t, blobtest.Place{
		Fresh: func(t *testing.T) blob.Store { return at(t, filepath.Join(t.TempDir(), "blobs")) },
		Again: func(t *testing.T, s blob.Store) blob.Store { return at(t, s.(*place).root) },
		Age: func(t *testing.T, s blob.Store, ref string, by time.Duration) {
			when := time.Now().Add(-by)
			if err := os.Chtimes(filepath.Join(s.(*place).root, ref[:2], ref), when, when); err != nil {
				t.Fatal(err)
			}
		},
	})
}
