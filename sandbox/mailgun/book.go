package mailgun

import (
	"sync"
	"time"
)

// Entry is one line of the book: something asked of the emulator and its
// answer, a webhook or inbound post and what the receiver said, a mail handed
// to a mailbox, or an event.
type Entry struct {
	Seq       int64               `json:"seq"`
	Time      time.Time           `json:"time"`
	Kind      string              `json:"kind"` // request, event, post, delivery, note
	What      string              `json:"what"` // one readable line
	Method    string              `json:"method,omitempty"`
	URL       string              `json:"url,omitempty"`
	Status    int                 `json:"status,omitempty"`
	Header    map[string][]string `json:"header,omitempty"` // of the request; never Authorization
	Body      string              `json:"body,omitempty"`   // of the request, cut at BookBody bytes
	Answer    string              `json:"answer,omitempty"`
	Error     string              `json:"error,omitempty"`
	Failed    bool                `json:"failed,omitempty"`
	Try       int                 `json:"try,omitempty"`
	Post      string              `json:"post,omitempty"`
	Event     string              `json:"event,omitempty"`
	MessageID string              `json:"message_id,omitempty"`
	Recipient string              `json:"recipient,omitempty"`
	Millis    int64               `json:"ms,omitempty"`
}

// maxBookBytes bounds the bodies that the book keeps.
const maxBookBytes = 64 << 20

// book is the record of everything that happened, newest last, cut at a number
// of entries.
type book struct {
	mu      sync.Mutex
	max     int
	bytes   int // of bodies and answers kept
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
	b.bytes += len(e.Body) + len(e.Answer)
	if len(b.entries) > b.max || b.bytes > maxBookBytes {
		b.cut()
	}
	close(b.changed)
	b.changed = make(chan struct{})
	observe := b.observe
	b.mu.Unlock()
	if observe != nil {
		observe(e)
	}
}

// cut drops the oldest quarter, or more where the bodies are still too large.
func (b *book) cut() {
	i := 0
	for i < len(b.entries) && (i < len(b.entries)/4 || b.bytes > maxBookBytes/2) {
		b.bytes -= len(b.entries[i].Body) + len(b.entries[i].Answer)
		i++
	}
	b.entries = append(b.entries[:0:0], b.entries[i:]...)
}

// after is what came after the given number, at most limit entries, and a
// channel that closes when there is more.
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
	b.entries, b.bytes = nil, 0
}
