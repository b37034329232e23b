package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

type initCmd struct {
	Force  bool `help:"Write even if the file is there; the old one is kept with .old behind its name."`
	Stdout bool `help:"Print it instead of writing a file."`
}

// Run writes the file with a fresh secret and admin token, readable by its owner only.
func (cmd *initCmd) Run(a *app) error {
	var b bytes.Buffer
	err := writeConfigFile(&b, map[string]string{
		"secret":      randomText(base64.StdEncoding),
		"admin_token": randomText(base64.RawURLEncoding),
	})
	if err != nil {
		return err
	}
	if cmd.Stdout {
		_, err = a.stdout.Write(b.Bytes())
		return err
	}
	path := a.configPath()
	if path == "" {
		path = defaultConfigFile
	}
	if cmd.Force {
		if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := writeNew(path, b.Bytes()); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already and holds the secret of all reply addresses; --force writes a new one", path)
		}
		return err
	}
	_, err = fmt.Fprintf(a.stderr, "wrote %s: fill in what is marked required, then run: postern serve\n", path)
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// randomText gives 32 fresh random bytes as text.
func randomText(enc *base64.Encoding) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return enc.EncodeToString(b[:])
}
