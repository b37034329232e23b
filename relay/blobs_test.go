package relay

import (
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// The files of a mail that is written down are known to be needed: whoever removes
// orphaned blobs leaves them alone.
func TestFilesAreUsed(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.AttachLimit = 1000 })
	const url = "https://files.example/f"
	h.chat.files[url] = "hello"
	h.mail.calls["send"] = []outcome{failure(postern.Temporary)}
	h.says("ana", "See this", func(e *postern.ChatEvent) {
		e.Message.Files = []postern.ChatFile{{URL: url, Name: "f.txt", ContentType: "text/plain", Size: 5}}
	})
	h.pass(0)
	var all []string
	h.must(h.Blobs.Old(t.Context(), time.Now().Add(time.Hour), func(refs []string) error {
		all = append(all, refs...)
		return nil
	}))
	used, err := h.Store.UsedBlobs(t.Context(), all)
	h.must(err)
	if len(all) != 1 || !used[all[0]] {
		t.Errorf("blobs %v, of which %v are used", all, used)
	}
}
