package dns

import (
	"sync"
	"time"
)

// Entry is one line of the book: a call of an API, a question to a name server, or an
// update, with the answer.
type Entry struct {
	Seq    int64               `json:"seq"`
	Time   time.Time           `json:"time"`
	Kind   string              `json:"kind"` // request, query, update
	What   string              `json:"what"` // one readable line
	Method string              `json:"method,omitempty"`
	URL    string              `json:"url,omitempty"`
	Status int                 `json:"status,omitempty"`
	Header map[string][]string `json:"header,omitempty"` // of the request; never Authorization
	Body   string              `json:"body,omitempty"`   // of the request
	Answer string              `json:"answer,omitempty"`
	Failed bool                `json:"failed,omitempty"`
	Server string              `json:"server,omitempty"` // resolver, ns1, ns2
	Name   string              `json:"name,omitempty"`   // asked for
	Type   string              `json:"type,omitempty"`
	Rcode  string              `json:"rcode,omitempty"`
	Fault  string              `json:"fault,omitempty"` // the id of the fault that struck
}

// book is the record of everything that happened, newest last, cut at a number of
// entries.
type book struct {
	mu      sync.Mutex
	max     int
	seq     int64
	entries []Entry
	changed chan struct{} // closed at the next entry
	observe func(Entry)
}

func newBook(max int, observe func(Entry)) *book {
	return &book{max: max, changed: make(chan struct{}), observe: observe}
}

func (b *book) add(e Entry) {
	b.mu.Lock()
	b.seq++
	e.Seq = b.seq
	b.entries = append(b.entries, e)
	if len(b.entries) > b.max {
		b.entries = append(b.entries[:0:0], b.entries[len(b.entries)/4:]...)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	if b.observe != nil {
		b.observe(e)
	}
}

// after is what came after the given number, at most limit entries, and a channel that
// closes when there is more.
func (b *book) after(seq int64, limit int) ([]Entry, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := len(b.entries)
	for i > 0 && b.entries[i-1].Seq > seq {
		i--
	}
	out := append([]Entry(nil), b.entries[i:]...)
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, b.changed
}

// clear empties the book; numbers go on counting, so that cursors stay good.
func (b *book) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = nil
}
