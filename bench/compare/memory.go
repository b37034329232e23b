//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern/bench/load"
)

// atOnce is how many files travel at the same time.
const atOnce = 20

const (
	smallFile = 25_000
	largeFile = 25_000_000
	// The most that is attached towards the mailbox: Mailgun takes 25 MB for a whole
	// mail, and a file in it grows by a third. Larger ones are linked, and cost nothing.
	largestAttached = 18_000_000
)

// rowMemory: files are streamed, so their size must not show in the memory.
func rowMemory(ctx context.Context, w *world) ([]line, error) {
	out, err := w.peaks(ctx, "out", largestAttached, w.outward)
	if err != nil {
		return nil, err
	}
	in, err := w.peaks(ctx, "in", largeFile, w.inward)
	if err != nil {
		return nil, err
	}
	row := func(what string, p [2]float64) line {
		r := p[1] / p[0]
		met := r <= 1.3
		return line{what, fmt.Sprintf("peak %.1f MB", p[1]), fmt.Sprintf("the same with 25 kB: %.1f MB", p[0]), fmt.Sprintf("%.2f", r), "at most 1.3", &met}
	}
	return []line{
		row(fmt.Sprintf("memory: %d files of 18 MB (the most that is attached) from chat to mail at once", atOnce), out),
		row(fmt.Sprintf("memory: %d files of 25 MB from mail to chat at once", atOnce), in),
	}, nil
}

// peaks tells the highest resident size with small files and with large ones, each of a
// gateway that did nothing else; medians of the rounds.
func (w *world) peaks(ctx context.Context, name string, large int, move func(*gateway, int) error) (out [2]float64, err error) {
	var all [2][]float64
	for round := range w.opt.rounds {
		for i, size := range []int{smallFile, large} {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			g, err := w.start(setting{name: fmt.Sprintf("memory-%s-%d-%d", name, i, round), delay: "0s", people: 100})
			if err != nil {
				return out, err
			}
			if err := move(g, size); err != nil {
				return out, err
			}
			peak, err := g.memory("VmHWM")
			if err != nil {
				return out, err
			}
			g.stop()
			all[i] = append(all[i], peak)
		}
	}
	return [2]float64{median(all[0]), median(all[1])}, nil
}

// outward has files of the chat mailed.
func (w *world) outward(g *gateway, size int) error {
	if err := w.reset(0); err != nil {
		return err
	}
	k := load.Kind{Path: hookPath, Away: 1, Channels: atOnce, People: 100, FileURL: fmt.Sprintf("%s/file/%d", w.fake, size), FileSize: size}
	if _, err := load.Count(load.Target{Addr: g.addr, IDs: &w.ids, Kind: k, Conns: atOnce}, atOnce); err != nil {
		return err
	}
	return await(context.Background(), atOnce, func() int64 { return w.counts().mails })
}

// inward has files that are mailed posted.
func (w *world) inward(g *gateway, size int) error {
	people, err := w.participants(g, atOnce, load.Kind{Path: hookPath, Away: 1, Channels: atOnce, People: 100})
	if err != nil {
		return err
	}
	if err := w.reset(0); err != nil {
		return err
	}
	file := encoded(size)
	errs := make(chan error, atOnce)
	var wg sync.WaitGroup
	for i, p := range people[:atOnce] {
		wg.Go(func() { errs <- postFile(g.addr, p, i, file) })
	}
	wg.Wait()
	for range atOnce {
		if err := <-errs; err != nil {
			return err
		}
	}
	return await(context.Background(), 2*atOnce, func() int64 { return w.counts().posts }) // the words, then the file
}

// encoded is a file in base64, in lines.
func encoded(size int) []byte {
	body := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x5a}, size))
	var b bytes.Buffer
	for len(body) > 76 {
		b.WriteString(body[:76] + "\r\n")
		body = body[76:]
	}
	b.WriteString(body + "\r\n")
	return b.Bytes()
}

func postFile(addr string, p envelope, n int, file []byte) error {
	head, tail, kind := route(p.reply, p.user, fmt.Sprintf("%050d", time.Now().UnixNano()+int64(n)))
	head += fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: Re: Support\r\nMessage-ID: <file.%d@people.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"+
		"--x\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		p.user, p.reply, n)
	tail = "--x--\r\n" + tail
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+inboundPath, io.MultiReader(strings.NewReader(head), bytes.NewReader(file), strings.NewReader(tail)))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(head) + len(file) + len(tail))
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a mail with a file was answered %s", resp.Status)
	}
	return nil
}
