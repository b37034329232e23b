package sendbird

import (
	"encoding/json"
	"sync"
	"time"
)

const (
	entryBodyLimit = 32 << 10 // of each body in the book
	bookBytesLimit = 64 << 20 // of all of them
)

// An Entry is one line of the book. Kind is "call" (Platform API), "client" (the control plane acting as an app's
// user), "webhook" (an event was made), "try" (one request of it and its answer) or "outcome" (its end).
type Entry struct {
	N      int64  `json:"n"`
	At     int64  `json:"at"` // ms
	Kind   string `json:"kind"`
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Query  string `json:"query,omitempty"`
	// Request and Answer are bodies as sent; of a form, its fields. Cut at 32 KB.
	Request   string `json:"request,omitempty"`
	Answer    string `json:"answer,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
	Status    int    `json:"status,omitempty"`
	Millis    int64  `json:"ms,omitempty"`
	Fault     string `json:"fault,omitempty"`
	Error     string `json:"error,omitempty"`
	Webhook   int64  `json:"webhook,omitempty"` // number of the event
	Category  string `json:"category,omitempty"`
	Channel   string `json:"channel_url,omitempty"`
	Signature string `json:"signature,omitempty"`
	Try       int    `json:"try,omitempty"`
	State     string `json:"state,omitempty"` // of an outcome: delivered, lost, dropped
}

func (e *Entry) setRequest(b []byte) { e.Request = e.cut(b) }
func (e *Entry) setAnswer(b []byte)  { e.Answer = e.cut(b) }

func (e *Entry) cut(b []byte) string {
	if len(b) > entryBodyLimit {
		e.Truncated = true
		b = b[:entryBodyLimit]
	}
	return string(b)
}

func (e *Entry) weight() int {
	return len(e.Request) + len(e.Answer) + len(e.Path) + len(e.Query) + 200
}

// book keeps the newest entries, bounded in number and bytes.
type book struct {
	now func() time.Time
	max int

	mu      sync.Mutex
	next    int64
	entries []Entry
	bytes   int
	grown   chan struct{} // closed and replaced at each entry
}

func newBook(limit int, now func() time.Time) *book {
	return &book{now: now, max: limit, next: 1, grown: make(chan struct{})}
}

func (b *book) add(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.N, e.At = b.next, b.now().UnixMilli()
	b.next++
	b.entries = append(b.entries, e)
	b.bytes += e.weight()
	drop := 0
	for len(b.entries)-drop > b.max || b.bytes > bookBytesLimit && len(b.entries)-drop > 1 {
		b.bytes -= b.entries[drop].weight()
		b.entries[drop] = Entry{}
		drop++
	}
	b.entries = b.entries[drop:]
	close(b.grown)
	b.grown = make(chan struct{})
}

// after gives up to limit entries numbered above n, and a channel that is closed at the next entry.
func (b *book) after(n int64, limit int) ([]Entry, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := len(b.entries)
	if len(b.entries) > 0 {
		from = int(min(max(n+1-b.entries[0].N, 0), int64(len(b.entries))))
	}
	out := append([]Entry(nil), b.entries[from:min(from+limit, len(b.entries))]...)
	return out, b.grown
}

// Book gives up to limit entries numbered above after, oldest first.
func (s *Server) Book(after int64, limit int) []Entry {
	entries, _ := s.book.after(after, limit)
	return entries
}

func (e Entry) json() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("sendbird: book entry: " + err.Error()) // strings and numbers only
	}
	return b
}
