package sendbird

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postern-chat/postern"
)

func TestUpload(t *testing.T) {
	const content = "\x00\x01 file \r\n--boundary"
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 || len(r.TransferEncoding) > 0 {
			t.Errorf("length %d, %v", r.ContentLength, r.TransferEncoding)
		}
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
			return
		}
		for k, v := range map[string]string{"message_type": "FILE", "user_id": "dimitri", "custom_type": "postern", "data": `{"postern":"mark.2"}`, "dedup_id": dedupID("p2"), "mark_as_read": "false"} {
			if got := r.MultipartForm.Value[k]; len(got) != 1 || got[0] != v {
				t.Errorf("%s: %q", k, got)
			}
		}
		f, head, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(f)
		if string(b) != content || head.Filename != "plan.pdf" || head.Header.Get("Content-Type") != "application/pdf" || len(r.MultipartForm.File) != 1 {
			t.Errorf("%q, %+v", b, head)
		}
		io.WriteString(w, `{"message_id":12,"type":"FILE"}`)
	})
	if id, err := api.Post(bg, filePost(content)); id != "12" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if id, err := api.Post(bg, filePost(content)); id != "12" || err != nil {
		t.Errorf("again: %q, %v", id, err)
	}
}

func TestAnEmptyFile(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if _, head, err := r.FormFile("file"); err != nil || head.Size != 0 {
			t.Errorf("%v, %v", head, err)
		}
		io.WriteString(w, `{"message_id":12}`)
	})
	if _, err := api.Post(bg, filePost("")); err != nil {
		t.Error(err)
	}
}

func TestFilesThatAreNotSent(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) { t.Error("was sent") })
	for name, c := range map[string]struct {
		change func(*postern.NewPost)
		kind   postern.Kind
		cause  postern.Cause
	}{
		"too large":  {func(p *postern.NewPost) { p.File.Size = 25<<20 + 1 }, postern.Permanent, postern.CauseTooLarge},
		"no sender":  {func(p *postern.NewPost) { p.User = "" }, postern.Internal, 0},
		"a text too": {func(p *postern.NewPost) { p.Text = "x" }, postern.Internal, 0},
		"no size":    {func(p *postern.NewPost) { p.File.Size = -1 }, postern.Internal, 0},
		"no content": {func(p *postern.NewPost) { p.File.Open = nil }, postern.Internal, 0},
	} {
		p := filePost("abc")
		c.change(&p)
		_, err := api.Post(bg, p)
		wantError(t, name, err, c.kind, c.cause, "")
	}
}

func TestNamesAndTypesOfUploads(t *testing.T) {
	long := strings.Repeat("ü", 150) + ".pdf"
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", "": "file", "..": "file", "/etc/passwd": "passwd", `C:\x\y.txt`: "y.txt", "Größe 1.png": "Größe 1.png",
		"a\r\nX: y\"b.txt": `aX: y"b.txt`, "exe.\u202efdp": "exe.fdp", "\xff\xfe.txt": "_.txt", " \t ": "file",
		long: strings.Repeat("ü", 98) + ".pdf",
	} {
		got := safeName(in)
		if got != want || len(got) > 200 || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"image/png": "image/png", "Text/HTML; charset=utf-8": "text/html", "": "application/octet-stream", "pdf": "application/octet-stream",
		"a/b\r\nX: y": "application/octet-stream", "a/b/c": "application/octet-stream", "text/plain; =": "application/octet-stream",
	} {
		if got := safeType(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// zeros gives n bytes and is cheap.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	clear(p[:n])
	z.n -= n
	return int(n), nil
}

func TestMemoryDoesNotGrowWithTheUpload(t *testing.T) {
	const size = 25 << 20
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		form := multipart.NewReader(r.Body, params["boundary"])
		var last int64
		for {
			part, err := form.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Error(err)
				return
			}
			if last, err = io.Copy(io.Discard, part); err != nil {
				t.Error(err)
			}
		}
		if last != size {
			t.Errorf("%d bytes came", last)
		}
		io.WriteString(w, `{"message_id":12}`)
	})
	p := filePost("")
	p.File.Size = size
	p.File.Open = func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := api.Post(bg, p)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d bytes allocated, both ends, for a file of %d", used, size)
	}
}

func TestOpenFile(t *testing.T) {
	var token string
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Api-Token")
		io.WriteString(w, "hello")
	}))
	defer files.Close()
	host := strings.TrimPrefix(files.URL, "http://")
	listed := newTestClient(t, func(cfg *Config) { cfg.FileHosts = []string{host} })
	ours := newTestClient(t, func(cfg *Config) { cfg.APIURL = files.URL + "/v3" })
	for name, api := range map[string]*Client{"listed with its port": listed, "the API's own host": ours} {
		token = ""
		body, size, err := api.OpenFile(bg, postern.ChatFile{URL: files.URL + "/files/a.txt"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, err := io.ReadAll(body)
		body.Close()
		if string(b) != "hello" || size != 5 || err != nil || token != testToken {
			t.Errorf("%s: %q, %d, %v, token %q", name, b, size, err, token)
		}
	}
	for _, at := range []string{files.URL + "/", "https://" + host + "/", "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://evil.example/", "http://file-eu-1.sendbird.com/x", "https://sendbird.com.evil.example/", ""} {
		_, _, err := newTestClient(t, nil).OpenFile(bg, postern.ChatFile{URL: at})
		wantError(t, at, err, postern.Permanent, 0, "")
	}
}

func TestTheTokenDoesNotFollowARedirect(t *testing.T) {
	got := map[string]string{}
	note := func(name string) func(r *http.Request) {
		return func(r *http.Request) { got[name] = r.Header.Get("Api-Token") }
	}
	// To a host that is not allowed: it is not even asked.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { note("other")(r) }))
	defer other.Close()
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("first")(r)
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	defer first.Close()
	api := newTestClient(t, func(cfg *Config) { cfg.APIURL = first.URL })
	_, _, err := api.OpenFile(bg, postern.ChatFile{URL: first.URL + "/x"})
	wantError(t, "cross host", err, postern.Permanent, 0, "")
	if len(got) != 1 || got["first"] != testToken {
		t.Errorf("asked: %v", got)
	}
}

func TestWhoGetsTheToken(t *testing.T) {
	c := newTestClient(t, nil)
	for at, want := range map[string]bool{
		"https://file-eu-1.sendbird.com/x":         true,
		"https://FILE-EU-1.SendBird.com/x":         true,
		"http://file-eu-1.sendbird.com/x":          false,
		"https://notsendbird.com/x":                false,
		"https://sendbird.com.evil.example/x":      false,
		"https://sendbird-upload.s3.amazonaws.com": false,
	} {
		r, err := http.NewRequest("GET", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fileHeader(c.cfg.APIToken)(r.URL, false).Get("Api-Token") != ""; got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}

func TestOpenFileKeepsToMaxFileSize(t *testing.T) {
	for _, told := range []bool{true, false} {
		files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !told {
				w.(http.Flusher).Flush()
			}
			fmt.Fprint(w, strings.Repeat("x", 100))
		}))
		defer files.Close()
		api := newTestClient(t, func(cfg *Config) { cfg.APIURL, cfg.MaxFileSize = files.URL, 99 })
		body, _, err := api.OpenFile(bg, postern.ChatFile{URL: files.URL})
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			body.Close()
		}
		wantError(t, "too large", err, postern.Permanent, postern.CauseTooLarge, "")
	}
}
