package sendbird

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/fetch"
)

// filePayload makes the multipart form of a file message. Only the parts around the
// file are held in memory.
func (c *Client) filePayload(p postern.NewPost, m newMessage) (*payload, error) {
	f := p.File
	switch {
	case p.User == "":
		return nil, postern.Errorf(postern.Internal, opPost, "a file without sender")
	case p.Text != "":
		return nil, postern.Errorf(postern.Internal, opPost, "a file and a text are two posts")
	case f.Size < 0 || f.Open == nil:
		return nil, postern.Errorf(postern.Internal, opPost, "a file of unknown size or without content")
	case f.Size > c.cfg.MaxFileSize:
		return nil, postern.Errorf(postern.Permanent, opPost, "file of %d bytes, limit is %d", f.Size, c.cfg.MaxFileSize).Because(postern.CauseTooLarge)
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, field := range [][2]string{
		{"message_type", "FILE"},
		{"user_id", m.UserID},
		{"custom_type", m.CustomType},
		{"data", m.Data},
		{"dedup_id", m.DedupID},
		{"mark_as_read", "false"},
	} {
		// Writing to a buffer does not fail.
		_ = w.WriteField(field[0], field[1])
	}
	_, _ = w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", safeName(f.Name))},
		"Content-Type":        {safeType(f.ContentType)},
	})
	head := bytes.Clone(buf.Bytes())
	buf.Reset()
	_ = w.Close()
	return &payload{
		contentType: w.FormDataContentType(),
		head:        head, tail: buf.Bytes(),
		file: f.Open, fileSize: f.Size,
	}, nil
}

// safeName makes a name fit for a header and for anybody's disk: no folder, no control
// characters, at most 200 bytes with its extension kept.
func safeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		// Some format characters turn the reading direction round, and "exe.pdf" with it.
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, name))
	if strings.Trim(name, ".") == "" {
		return "file"
	}
	const most = 200
	if len(name) <= most {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	cut := most - len(ext)
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + ext
}

// safeType gives a media type without parameters, application/octet-stream if t is none.
func safeType(t string) string {
	if t, _, err := mime.ParseMediaType(t); err == nil && strings.Count(t, "/") == 1 {
		return t
	}
	return "application/octet-stream"
}

// newFiles makes the client that fetches files of messages.
func newFiles(cfg Config, api *url.URL) (*fetch.Client, error) {
	origin := api.Scheme + "://" + api.Host
	files, err := fetch.New(fetch.Config{
		AllowedHosts: append([]string{origin}, cfg.FileHosts...),
		MaxSize:      cfg.MaxFileSize,
		Header:       fileHeader(cfg.APIToken),
	})
	if err != nil {
		return nil, fmt.Errorf("sendbird: file hosts: %w", err)
	}
	return files, nil
}

// fileHeader gives the token to whom it belongs: a file of an application with encryption
// opens for nothing else (docs: community.sendbird.com, topic 1472).
func fileHeader(token string) func(*url.URL, bool) http.Header {
	return func(u *url.URL, trusted bool) http.Header {
		ours := u.Scheme == "https" && strings.HasSuffix(strings.ToLower(u.Hostname()), ".sendbird.com")
		if !trusted && !ours {
			return nil
		}
		return http.Header{"Api-Token": {token}}
	}
}

// OpenFile streams a file of a chat message; size is -1 if unknown. Its address is
// anybody's: one that is not allowed, or leads to a private network, is Permanent, and so
// is a file larger than MaxFileSize, even if that shows only while reading (CauseTooLarge).
func (c *Client) OpenFile(ctx context.Context, f postern.ChatFile) (io.ReadCloser, int64, error) {
	start := time.Now()
	resp, err := c.files.Get(ctx, f.URL)
	if c.cfg.Observe != nil {
		outcome := "ok"
		if err != nil {
			outcome = postern.KindOf(err).String()
		}
		c.cfg.Observe("file", outcome, time.Since(start))
	}
	if err != nil {
		return nil, 0, err
	}
	return resp.Body, resp.Size, nil
}
