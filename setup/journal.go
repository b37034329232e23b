package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-chat/postern"
)

// Entry is one line of a Journal.
type Entry struct {
	// Do is "will" before a change is tried, "did" after it worked, "undone" after it was
	// taken back.
	Do   string    `json:"do"`
	Seq  int       `json:"seq"` // of the change; all its lines bear it
	Time time.Time `json:"time"`

	// Of "will" alone:
	Part   string          `json:"part,omitempty"`
	Key    string          `json:"key,omitempty"`
	Sign   postern.Sign    `json:"sign,omitempty"`
	Title  string          `json:"title,omitempty"`
	Is     string          `json:"is,omitempty"`
	Want   string          `json:"want,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
}

// Journal is the snapshot of everything that was changed, a file of JSON lines. A line is
// on the disk before what it speaks of is tried, so that whatever cuts a run off, the way
// back is known. It is used by one process at a time.
type Journal struct {
	f    *os.File
	now  func() time.Time
	all  []Entry // of "will", by seq
	gone map[int]bool
	done map[int]bool
}

// JournalPath is where the journal is kept within the gateway's data_dir.
func JournalPath(dataDir string) string { return filepath.Join(dataDir, "setup", "snapshot.jsonl") }

// maxJournal bounds what is read of it.
const maxJournal = 64 << 20

// OpenJournal opens or makes a journal, readable by its owner only.
func OpenJournal(path string, now func() time.Time) (*Journal, error) {
	if now == nil {
		now = time.Now
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use: another setup is running", path), f.Close())
	}
	j := &Journal{f: f, now: now, gone: map[int]bool{}, done: map[int]bool{}}
	if err := j.load(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, syncDir(dir)
}

// load reads what is there. A last line without its end was being written when a run was
// cut off: what it announces was not tried, so it goes.
func (j *Journal) load(path string) error {
	data, err := io.ReadAll(io.LimitReader(j.f, maxJournal+1))
	if err != nil {
		return err
	}
	if len(data) > maxJournal {
		return fmt.Errorf("%s is larger than %d bytes; move it away to begin anew", path, maxJournal)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	for i, line := range bytes.Split(data[:whole], []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d is no line of a snapshot: %w; move the file away to begin anew", path, i+1, err)
		}
		j.take(e)
	}
	if whole < len(data) {
		if err := j.f.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	_, err = j.f.Seek(int64(whole), io.SeekStart)
	return err
}

func (j *Journal) take(e Entry) {
	switch e.Do {
	case "will":
		j.all = append(j.all, e)
	case "did":
		j.done[e.Seq] = true
	case "undone":
		j.gone[e.Seq] = true
	}
}

// write puts a line onto the disk.
func (j *Journal) write(e Entry) error {
	e.Time = j.now().UTC()
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	j.take(e)
	return nil
}

// Will notes a change that is about to be tried, and gives its number.
func (j *Journal) Will(part string, c postern.Change) (seq int, err error) {
	if n := len(j.all); n > 0 {
		seq = j.all[n-1].Seq
	}
	seq++
	return seq, j.write(Entry{Do: "will", Seq: seq, Part: part, Key: c.Key, Sign: c.Sign, Title: c.Title, Is: c.Is, Want: c.Want, Before: c.Before})
}

// Did notes that a change worked.
func (j *Journal) Did(seq int) error { return j.write(Entry{Do: "did", Seq: seq}) }

// Undone notes that a change is taken back.
func (j *Journal) Undone(seq int) error { return j.write(Entry{Do: "undone", Seq: seq}) }

// Standing lists the changes that were tried and not taken back, the oldest first.
func (j *Journal) Standing() []Entry {
	var left []Entry
	for _, e := range j.all {
		if !j.gone[e.Seq] {
			left = append(left, e)
		}
	}
	return left
}

// Worked tells whether a change is known to have been carried out.
func (j *Journal) Worked(seq int) bool { return j.done[seq] }

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
