//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
)

// Tokens stand in everything that is put in, and tell where it belongs: m-<channel>-<n>
// is a chat message, r-<channel>-<n>-<user> an answer by mail to it, and the same with
// -f<n> a file of that answer.
var token = regexp.MustCompile(`\b[mr]-\d\d-\d{5}(?:-[a-z]{3})?(?:-f\d)?\b`)

// load puts chat messages in until ctx ends. Within a channel one comes after the other.
func (w *world) load(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(w.channels))
	for i, c := range w.channels {
		wg.Go(func() { errs[i] = w.write(ctx, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// write puts one channel's messages in: now and then a burst, now and then a file.
func (w *world) write(ctx context.Context, c *channel) error {
	rnd := rand.New(rand.NewPCG(uint64(w.opt.Seed), uint64(c.n)+100))
	mean := float64(len(w.channels)) / w.opt.Rate * float64(time.Second)
	for n := 0; ; n++ {
		pause, burst, file, who := time.Duration(rnd.ExpFloat64()*mean*1.4), rnd.IntN(10) < 3, rnd.IntN(12) == 0, c.writers[rnd.IntN(len(c.writers))]
		if burst {
			pause = time.Duration(rnd.Int64N(int64(60 * time.Millisecond)))
		}
		if !sleep(ctx, min(pause, 10*time.Second)) {
			return nil
		}
		tok := fmt.Sprintf("m-%02d-%05d", c.n, n)
		ch, after := w.draw(rnd)
		var err error
		var made struct {
			ID jsonNumber `json:"message_id"`
		}
		if file {
			err = w.upload(w.ctx, c, who, tok)
		} else {
			err = w.api(w.ctx, http.MethodPost, w.actsAs(who, c), map[string]any{"message": "This is " + tok + ", as promised."}, &made)
		}
		if err != nil {
			return fmt.Errorf("put in %s: %w", tok, err)
		}
		w.sent.Add(1)
		if !file && after >= 0 {
			w.change(c, who, tok, made.ID.String(), ch, after)
		}
	}
}

func (w *world) actsAs(user string, c *channel) string {
	return w.chatURL + "/_emulator/users/" + user + "/channels/" + c.url + "/messages"
}

// fileContent is what a file of the chat holds.
const fileContent = "The content of this file.\n"

func (w *world) upload(ctx context.Context, c *channel, user, tok string) error {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", tok+".txt")
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, fileContent)
	if err := errors.Join(err, form.WriteField("message_type", "FILE"), form.Close()); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.actsAs(user, c), &b)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	return w.exchange(req, nil)
}

// readMail lets the people who are away see to their mail until ctx ends: some of it
// they open, some they answer. Which is decided by the seed.
func (w *world) readMail(ctx context.Context) {
	seen := map[string]int{}
	for sleep(ctx, 60*time.Millisecond) {
		for _, u := range w.away {
			ms := w.people.Messages(address(u))
			for ; seen[u] < len(ms); seen[u]++ {
				if m := ms[seen[u]]; !m.Sent {
					w.receive(ctx, u, m.ID)
				}
			}
		}
	}
}

// receive is what a person does with a mail.
func (w *world) receive(ctx context.Context, user, id string) {
	m, ok := w.people.Message(address(user), id)
	if !ok {
		return
	}
	toks := tokensOf(m)
	answers := []string{}
	open := false
	for _, t := range toks {
		if t[0] != 'm' {
			continue
		}
		open = open || w.dice(user, t, "open") < 0.4
		if w.dice(user, t, "answer") < 0.15 {
			answers = append(answers, t)
		}
	}
	if !open && len(answers) == 0 {
		return
	}
	pause := 50*time.Millisecond + time.Duration(w.dice(user, toks[0], "pause")*float64(1500*time.Millisecond))
	w.pending.Add(1)
	w.wg.Go(func() {
		defer w.pending.Add(-1)
		if !sleep(ctx, pause) {
			return
		}
		if open {
			w.books.open(address(user), m.MessageID)
			if _, err := w.people.View(ctx, address(user), id, mailbox.Human); err != nil {
				w.logf("%s cannot open a mail: %v", user, err)
			}
		}
		for _, t := range answers {
			w.answer(ctx, user, m, t)
		}
	})
}

// answer answers a mail on account of one message in it.
func (w *world) answer(ctx context.Context, user string, m mailbox.Message, to string) {
	tok := "r" + to[1:] + "-" + user
	programs := mailbox.Programs()
	a := mailbox.Answer{Program: programs[int(w.dice(user, to, "program")*float64(len(programs)))], Text: w.sentence(user, to) + " " + tok + "."}
	if d := w.dice(user, to, "files"); d < 0.3 {
		for i := range 1 + int(d*10)%3 {
			a.Attachments = append(a.Attachments, mailbox.Attachment{
				Filename: fmt.Sprintf("%s-f%d.txt", tok, i), ContentType: "text/plain", Data: []byte("An attached file.\n"),
			})
		}
	}
	w.books.open(address(user), m.MessageID) // whoever answers has read
	id, err := w.people.Reply(ctx, address(user), m.ID, a)
	if err != nil {
		if ctx.Err() == nil {
			w.logf("%s cannot answer a mail: %v", user, err)
		}
		return
	}
	w.books.answered(tok, user, id, sizes(a.Attachments)...)
}

// refused says that the chat takes none of an answer's files.
func (b *books) refused(tok string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.replies {
		if b.replies[i].token == tok {
			for n := range b.replies[i].files {
				b.replies[i].files[n] = refusedFile
			}
		}
	}
}

func sizes(files []mailbox.Attachment) (out []int) {
	for _, f := range files {
		out = append(out, len(f.Data))
	}
	return out
}

// words make sentences that are not alike: what resembles a mail sent earlier may be
// taken for a quotation of it.
var words = strings.Fields(`apple bridge candle desert engine forest garden harbour island jacket kettle ladder market needle orange
pepper quarter river saddle timber umbrella valley window yellow anchor button copper dinner eleven feather ginger hammer`)

func (w *world) sentence(user, to string) string {
	var b strings.Builder
	for i := range 7 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[int(w.dice(user, to, "word", strconv.Itoa(i))*float64(len(words)))])
	}
	return b.String()
}

// tokensOf are the tokens of a mail, each once, in order: first of its text, then of
// its files.
func tokensOf(m mailbox.Message) (out []string) {
	seen := map[string]bool{}
	add := func(s string) {
		for _, t := range token.FindAllString(s, -1) {
			if !seen[t] {
				seen[t] = true
				out = append(out, t)
			}
		}
	}
	add(m.Text)
	for _, f := range m.Files {
		add(f.Filename)
	}
	return out
}

// dice is a number below 1 that depends on the seed and the words alone.
func (w *world) dice(words ...string) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, w.opt.Seed, words)
	return rand.New(rand.NewPCG(h.Sum64(), 1)).Float64()
}

func (b *books) open(address, messageID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened[address] == nil {
		b.opened[address] = map[string]time.Time{}
	}
	if b.opened[address][messageID].IsZero() {
		b.opened[address][messageID] = time.Now()
	}
}

// reply is an answer by mail that was put in.
type reply struct {
	token, user, messageID string
	files                  []int // how large each is
}

// refusedFile is the size of a file in whose place a line stands.
const refusedFile = -1

func (b *books) answered(tok, user, id string, files ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replies = append(b.replies, reply{tok, user, id, files})
}
