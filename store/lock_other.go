//go:build !unix

package store

import "os"

// lockFile takes a lock by making the file; after a crash it must be removed by hand.
func lockFile(name string) (unlock func() error, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if os.IsExist(err) {
		return nil, errLocked
	}
	if err != nil {
		return nil, err
	}
	return func() error { _ = f.Close(); return os.Remove(name) }, nil
}
