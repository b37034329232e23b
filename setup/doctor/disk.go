package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/postern-chat/postern"
)

// Disk are the checks of the folders that the gateway writes to.
type Disk struct {
	DataDir string
	// Database is the folder of a database that is a file; "" = it is elsewhere.
	Database string
	// Free tells the bytes that are free at a folder; default asks the system. false: it
	// cannot be told.
	Free func(dir string) (free uint64, ok bool)
	// Sync times how long a few bytes take to lie safely in a folder; default tries it
	// with a file that it removes.
	Sync func(dir string) (time.Duration, error)
}

const (
	fewBytes  = 1 << 30
	noBytes   = 100 << 20
	slowSync  = 100 * time.Millisecond
	syncTries = 5
)

// Check gives the check of the disk.
func (d Disk) Check() Check { return Check{Subject: "DISK", Ask: d.ask} }

func (d Disk) ask(context.Context) []postern.Finding {
	if d.Free == nil {
		d.Free = freeBytes
	}
	if d.Sync == nil {
		d.Sync = timeSync
	}
	folders := []string{d.DataDir}
	if d.Database != "" && d.Database != d.DataDir {
		folders = append(folders, d.Database)
	}
	var out []postern.Finding
	for _, dir := range folders {
		out = append(out, d.folder(dir)...)
	}
	return out
}

func (d Disk) folder(dir string) []postern.Finding {
	at := dir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		at = existing(dir) // it will be made at the first start
	}
	took, err := d.Sync(at)
	if err != nil {
		return []postern.Finding{mend(Found("DISK-WRITE", "%s: %v", dir, err), "Let the user that runs postern write to %s, or name another folder.", dir)}
	}
	var out []postern.Finding
	free, known := d.Free(at)
	switch {
	case known && free < noBytes:
		out = append(out, Found("DISK-FULL", "%s has %s left", dir, megabytes(int64(free)))) //nolint:gosec // below 100 MB
	case known && free < fewBytes:
		out = append(out, Found("DISK-LOW", "%s has %s left", dir, megabytes(int64(free)))) //nolint:gosec // below 1 GB
	}
	if took > slowSync {
		out = append(out, Found("DISK-SLOW", "%s takes %v to keep a few bytes safely", dir, took.Round(time.Millisecond)))
	}
	if len(out) > 0 {
		return out
	}
	room := "room cannot be told"
	if known {
		room = fmt.Sprintf("%.1f GB free", float64(free)/1e9)
	}
	return []postern.Finding{OK("DISK", "%s can be written to, %s, kept safely in %v", dir, room, took.Round(10*time.Microsecond))}
}

// existing is the nearest folder above that is there.
func existing(dir string) string {
	for {
		up := filepath.Dir(dir)
		if _, err := os.Stat(up); err == nil || up == dir {
			return up
		}
		dir = up
	}
}

// timeSync writes, syncs and removes a file a few times and gives the median.
func timeSync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".postern-doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	var all []time.Duration
	for range syncTries {
		start := time.Now()
		if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
