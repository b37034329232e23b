package listen

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// lookEvery is how often files are looked at for a change.
const lookEvery = 10 * time.Second

// files holds a certificate from files and reads it again when they change, so that
// whatever renews them need not tell us.
type files struct {
	cfg    Config
	mu     sync.Mutex
	cert   *tls.Certificate
	seen   [2]time.Time // the files' times of change
	looked time.Time
}

func newFiles(cfg Config) (*files, error) {
	f := &files{cfg: cfg}
	if cfg.CertFile == "" || cfg.KeyFile == "" {
		return nil, fmt.Errorf("listen: a certificate file and a key file are needed")
	}
	seen, err := f.times()
	if err != nil {
		return nil, err
	}
	return f, f.load(seen)
}

func (f *files) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: f.get}
}

func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.cfg.Now(); now.Sub(f.looked).Abs() >= lookEvery {
		f.looked = now
		f.refresh()
	}
	return f.cert, nil
}

// refresh reads the files if they changed. A pair that does not fit, as while one of
// the two is already written anew, is looked at again later: the old one still holds.
func (f *files) refresh() {
	seen, err := f.times()
	if err == nil && seen == f.seen {
		return
	}
	if err == nil {
		err = f.load(seen)
	}
	if err != nil {
		f.cfg.Logger.Warn("the certificate's files changed and cannot be used; the old certificate stays", "error", err)
		return
	}
	f.cfg.Logger.Info("the certificate was read anew", "ends", f.cert.Leaf.NotAfter)
}

func (f *files) load(seen [2]time.Time) error {
	cert, err := tls.LoadX509KeyPair(f.cfg.CertFile, f.cfg.KeyFile)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	f.cert, f.seen = &cert, seen
	return nil
}

func (f *files) times() (t [2]time.Time, err error) {
	for i, name := range []string{f.cfg.CertFile, f.cfg.KeyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return t, fmt.Errorf("listen: %w", err)
		}
		t[i] = info.ModTime()
	}
	return t, nil
}
