package sendbird

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fetch gets a file, with headers as "Name: value".
func (w *world) fetch(link string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest("GET", link, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	return w.send(req)
}

func TestUpload(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	a := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana", "custom_type": "mail", "require_auth": "true",
		"sorted_metaarray": `[{"key":"k","value":["v"]}]`, "mentioned_user_ids": "bob", "is_silent": "false"}, "Bericht.PDF", "application/pdf", []byte("%PDF-1"))
	want(t, "status", a.status, 200)
	m := a.obj
	want(t, "keys", keys(m), sorted(append(strings.Fields(messageKeys), "require_auth", "thumbnails")))
	f := m["file"].(map[string]any)
	for k, v := range (obj{"name": "Bericht.PDF", "type": "application/pdf", "size": 6}) {
		want(t, k, f[k], v)
	}
	link := f["url"].(string)
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(w.url) + `/files/[0-9a-f]{32}\.pdf$`).MatchString(link) {
		t.Errorf("url %s", link)
	}
	want(t, "the application decides on auth", m["require_auth"], false)
	want(t, "array from a form", dig(m, "sorted_metaarray", 0, "key"), "k")
	want(t, "mention from a form", dig(m, "mentioned_users", 0, "user_id"), "bob")
	got := w.fetch(link)
	want(t, "bytes", string(got.raw), "%PDF-1")
	want(t, "type", got.head.Get("Content-Type"), "application/pdf")
	want(t, "length", got.head.Get("Content-Length"), 6)

	hook := w.oneHook("group_channel:message_send")
	want(t, "type", hook["type"], "FILE")
	p := hook["payload"].(map[string]any)
	want(t, "payload", keys(p), "content_size content_type created_at custom_type data filename message_id url")
	for k, v := range (obj{"filename": "Bericht.PDF", "content_type": "application/pdf", "content_size": 6, "url": link}) {
		want(t, k, p[k], v)
	}
	want(t, "unknown file", w.fetch(w.url+"/files/"+strings.Repeat("0", 32)+".pdf").status, 404)
}

func TestFileByURL(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	flat := w.ok("POST", ch+"/messages", obj{"message_type": "FILE", "user_id": "ana", "url": "https://x.example/a.png", "file_name": "a.png",
		"file_size": 12, "file_type": "image/png", "thumbnails": []string{"https://x.example/t.png"}})
	want(t, "file", fmt.Sprint(flat["file"]), "map[data: name:a.png size:12 type:image/png url:https://x.example/a.png]")
	want(t, "thumbnail", dig(flat, "thumbnails", 0, "url"), "https://x.example/t.png")
	one := w.ok("POST", ch+"/messages", obj{"message_type": "FILE", "user_id": "ana", "files": []obj{{"url": "https://x.example/b", "file_name": "b"}}})
	want(t, "one in the list", dig(one, "file", "name"), "b")
	two := obj{"message_type": "FILE", "user_id": "ana", "files": []obj{{"url": "https://x.example/b"}, {"url": "https://x.example/c.txt", "file_type": "text/plain"}}}
	multi := w.ok("POST", ch+"/messages", two)
	want(t, "files", keys(dig(multi, "files", 1).(map[string]any)), "file_name file_size file_type require_auth thumbnails url")
	want(t, "name from the URL", dig(multi, "files", 1, "file_name"), "c.txt")
	hooks := w.hooks("group_channel:message_send")
	want(t, "files in the webhook", len(dig(hooks[2], "payload", "files").([]any)), 2)
	w.ok("PUT", "/_emulator/switches", obj{"multi_file_hook": "no-url"})
	w.ok("POST", ch+"/messages", two)
	want(t, "neither", keys(w.hooks("group_channel:message_send")[3]["payload"].(map[string]any)), "created_at custom_type data message_id")
	var many []obj
	for range 31 {
		many = append(many, obj{"url": "https://x.example/b"})
	}
	w.refused("POST", ch+"/messages", obj{"message_type": "FILE", "user_id": "ana", "files": many}, 400, 400203)
}

func TestFileEncryption(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.user("cyd")
	a := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.txt", "text/plain", []byte("secret"))
	link := dig(a.obj, "file", "url").(string)
	w.ok("PUT", "/_emulator/switches", obj{"file_encryption": true})
	key := func(id string) string { return w.ok("POST", "/_emulator/users/"+id+"/file_key", nil)["auth"].(string) }
	want(t, "bare", w.fetch(link).status, 403)
	want(t, "token", string(w.fetch(link, "Api-Token: "+testToken).raw), "secret")
	want(t, "wrong token", w.fetch(link, "Api-Token: x").status, 403)
	want(t, "member", w.fetch(link+"?auth="+key("bob")).status, 200)
	want(t, "stranger", w.fetch(link+"?auth="+key("cyd")).status, 403)
	old := key("bob")
	w.advance(3*24*time.Hour + time.Second)
	want(t, "after three days", w.fetch(link+"?auth="+old).status, 403)
	want(t, "after another login", w.fetch(link+"?auth="+key("bob")).status, 200)
	b := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "b.txt", "text/plain", []byte("x"))
	want(t, "require_auth", b.obj["require_auth"], true)
}

func TestFilesHost(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.FilesURL = "https://file-ap-9.sendbird.test/" })
	ch := w.channel("room1", "ana")
	a := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "noext", "application/x-unheard-of", []byte("x"))
	link := dig(a.obj, "file", "url").(string)
	if !strings.HasPrefix(link, "https://file-ap-9.sendbird.test/files/") || !strings.HasSuffix(link, ".bin") {
		t.Errorf("url %s", link)
	}
	req, _ := http.NewRequest("GET", w.url+strings.TrimPrefix(link, "https://file-ap-9.sendbird.test"), nil)
	req.Host = "file-ap-9.sendbird.test"
	want(t, "under the other name", w.send(req).status, 200)
}

func TestThumbnails(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana")
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 80, 40))); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"message_type": "FILE", "user_id": "ana", "thumbnail1": "20,20", "thumbnail2": "200,200", "thumbnail3": "x"}
	a := w.form(ch+"/messages", fields, "p.png", "image/png", b.Bytes())
	thumbs := a.obj["thumbnails"].([]any)
	want(t, "two of three", len(thumbs), 2)
	want(t, "box", fmt.Sprint(dig(thumbs, 0, "width"), "x", dig(thumbs, 0, "height")), "20x20")
	want(t, "real", fmt.Sprint(dig(thumbs, 0, "real_width"), "x", dig(thumbs, 0, "real_height")), "20x10")
	want(t, "never larger", dig(thumbs, 1, "real_width"), 80)
	got := w.fetch(dig(thumbs, 0, "url").(string))
	if _, err := png.Decode(bytes.NewReader(got.raw)); err != nil {
		t.Error(err)
	}
	none := w.form(ch+"/messages", fields, "p.png", "image/png", []byte("no picture"))
	want(t, "of no picture", len(none.obj["thumbnails"].([]any)), 0)
}

// stream is size bytes of a pattern, made as they are read.
type stream struct{ left, done int64 }

func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), s.left)
	const block = "0123456789abcdefghijklmnopqrstuvwxyz\n" // no power of two long
	for i := 0; i < int(n); {
		i += copy(p[i:n], block[(s.done+int64(i))%int64(len(block)):])
	}
	s.left, s.done = s.left-n, s.done+n
	return int(n), nil
}

// TestLargeUpload: what is over the limit is refused, what is at it goes to disk without growing the heap.
func TestLargeUpload(t *testing.T) {
	want(t, "default limit", Switches{}.maxFile(), 25<<20)
	w := newWorld(t, func(c *Config) { c.Switches.MaxFileMB = 16 })
	ch := w.channel("room1", "ana")
	post := func(size int64) answer {
		pr, pw := io.Pipe()
		mw := multipart.NewWriter(pw)
		go func() {
			_ = mw.WriteField("message_type", "FILE")
			_ = mw.WriteField("user_id", "ana")
			part, _ := mw.CreateFormFile("file", "big.bin")
			_, _ = io.Copy(part, &stream{left: size})
			_ = mw.Close()
			_ = pw.Close()
		}()
		req, _ := http.NewRequest("POST", w.url+ch+"/messages", pr)
		req.Header.Set("Api-Token", testToken)
		req.Header.Set("Content-Type", mw.FormDataContentType())
		return w.send(req)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a := post(16 << 20)
	runtime.ReadMemStats(&after)
	want(t, "status", a.status, 200)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("16 MB of upload allocated %d bytes", grown)
	}
	got := w.fetch(dig(a.obj, "file", "url").(string))
	original, _ := io.ReadAll(&stream{left: 16 << 20})
	if !bytes.Equal(got.raw, original) {
		t.Errorf("%d other bytes came back than the %d sent", len(got.raw), len(original))
	}

	over := post(16<<20 + 1)
	want(t, "over the limit", over.obj["code"], 400110)
	w.ok("PUT", "/_emulator/switches", obj{"max_file_mb": 1})
	want(t, "another limit", post(2 << 20).obj["code"], 400110)
	entries, err := os.ReadDir(w.s.dir)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "files on disk", len(entries), 1)
}

// TestRefusedUploadLeavesNothing: bytes of a message that was not sent are gone.
func TestRefusedUploadLeavesNothing(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana")
	a := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "nobody"}, "a.txt", "text/plain", []byte("x"))
	want(t, "code", a.obj["code"], 400201)
	entries, _ := os.ReadDir(w.s.dir)
	want(t, "files on disk", len(entries), 0)
	w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.txt", "text/plain", []byte("x"))
	w.ok("POST", "/_emulator/reset", nil)
	entries, _ = os.ReadDir(w.s.dir)
	want(t, "after reset", len(entries), 0)
}

func TestProfileAndCoverFiles(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	_ = mw.WriteField("user_id", "ana")
	_ = mw.WriteField("nickname", "Ana")
	p, _ := mw.CreateFormFile("profile_file", "me.png")
	_, _ = p.Write([]byte("png"))
	_ = mw.Close()
	req, _ := http.NewRequest("POST", w.url+"/v3/users", &b)
	req.Header.Set("Api-Token", testToken)
	req.Header.Set("Content-Type", mw.FormDataContentType())
	a := w.send(req)
	want(t, "picture", string(w.fetch(a.obj["profile_url"].(string)).raw), "png")
}
