// Package s3test is an object store for tests: as much of Amazon's S3 API as blobs need.
// It checks each signature (version 4, that of streamed bodies too) and keeps its objects
// in files. It shares no code with the client.
//
// What lives here: the server. What may not: anything a program that is not a test needs.
package s3test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the server takes.
const (
	AccessKey = "access"
	SecretKey = "secret/with+signs"
	Region    = "eu-test-1"
	Bucket    = "bucket"
)

const minPart = 5 << 20 // of all parts but the last

// Server is a running store.
type Server struct {
	URL       string
	Transport http.RoundTripper // trusts the server's certificate

	// Fault, if it gives a status, fails a call with it. Cut, if it gives n >= 0, breaks
	// an answer's body off after so many bytes. Set both before the first call.
	Fault func(r *http.Request) int
	Cut   func(r *http.Request) int64

	dir     string
	mu      sync.Mutex
	objects map[string]object
	uploads map[string]map[int]object
	calls   map[string]int
	n       int
}

type object struct {
	path     string
	size     int64
	modified time.Time
}

// Start starts a server, with TLS or without.
func Start(t testing.TB, secure bool) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir(), objects: map[string]object{}, uploads: map[string]map[int]object{}, calls: map[string]int{}}
	ts := httptest.NewUnstartedServer(s)
	if secure {
		ts.StartTLS()
	} else {
		ts.Start()
	}
	t.Cleanup(ts.Close)
	s.URL, s.Transport = ts.URL, ts.Client().Transport
	return s
}

// Keys lists the names of all objects.
func (s *Server) Keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Uploads tells how many uploads in parts were begun and neither completed nor aborted.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Calls tells how often a call was made: a method, or "PART".
func (s *Server) Calls(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[what]
}

// Age makes an object older.
func (s *Server) Age(key string, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	o.modified = o.modified.Add(-by)
	s.objects[key] = o
}

// failure is an answer of S3's.
type failure struct {
	status int
	code   string
}

func (f failure) Error() string { return f.code }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls[r.Method]++
	if r.URL.Query().Has("partNumber") {
		s.calls["PART"]++
	}
	s.mu.Unlock()
	if err := s.serve(w, r); err != nil {
		f, ok := err.(failure)
		if !ok {
			f = failure{http.StatusInternalServerError, "InternalError"}
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(f.status)
		if r.Method != http.MethodHead {
			_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, f.code, f.code)
		}
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if s.Fault != nil {
		if status := s.Fault(r); status != 0 {
			return failure{status, map[int]string{403: "AccessDenied", 503: "SlowDown"}[status]}
		}
	}
	body, err := verify(r)
	if err != nil {
		return err
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != Bucket {
		return failure{http.StatusNotFound, "NoSuchBucket"}
	}
	q := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodGet && q.Has("location"):
		return answer(w, struct {
			XMLName xml.Name `xml:"LocationConstraint"`
			Region  string   `xml:",chardata"`
		}{Region: Region})
	case key == "" && r.Method == http.MethodGet && q.Get("list-type") == "2":
		return s.list(w, q.Get)
	case key == "":
		return failure{http.StatusNotImplemented, "NotImplemented"}
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return s.get(w, r, key)
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return s.abort(w, q.Get("uploadId"))
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		delete(s.objects, key)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method == http.MethodPost && q.Has("uploads"):
		return s.begin(w)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return s.complete(w, key, q.Get("uploadId"), body)
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return s.part(w, q.Get("uploadId"), q.Get("partNumber"), body)
	case r.Method == http.MethodPut:
		o, err := s.keep(body)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.objects[key] = o
		s.mu.Unlock()
		w.Header().Set("ETag", `"e"`)
		return nil
	}
	return failure{http.StatusNotImplemented, "NotImplemented"}
}

func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/xml")
	return xml.NewEncoder(w).Encode(v)
}

// keep writes a body to a file.
func (s *Server) keep(body io.Reader) (o object, err error) {
	s.mu.Lock()
	s.n++
	o.path = filepath.Join(s.dir, strconv.Itoa(s.n))
	s.mu.Unlock()
	f, err := os.Create(o.path)
	if err != nil {
		return o, err
	}
	defer func() { _ = f.Close() }()
	o.modified = time.Now()
	o.size, err = io.Copy(f, body)
	return o, err
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) error {
	s.mu.Lock()
	o, ok := s.objects[key]
	s.mu.Unlock()
	if !ok {
		return failure{http.StatusNotFound, "NoSuchKey"}
	}
	f, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if s.Cut != nil && r.Method == http.MethodGet {
		if n := s.Cut(r); n >= 0 {
			w = &cut{w, n}
		}
	}
	http.ServeContent(w, r, "", o.modified, f)
	return nil
}

// cut ends the connection after so many bytes.
type cut struct {
	http.ResponseWriter
	left int64
}

func (c *cut) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	panic(http.ErrAbortHandler)
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
}

func (s *Server) list(w http.ResponseWriter, get func(string) string) error {
	most, err := strconv.Atoi(get("max-keys"))
	if err != nil || most > 1000 {
		most = 1000
	}
	after := max(get("start-after"), get("continuation-token"))
	out := listing{Name: Bucket, Prefix: get("prefix"), MaxKeys: most}
	for _, key := range s.Keys() {
		if !strings.HasPrefix(key, out.Prefix) || key <= after {
			continue
		}
		if len(out.Contents) == most {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[most-1].Key
			break
		}
		s.mu.Lock()
		o := s.objects[key]
		s.mu.Unlock()
		out.Contents = append(out.Contents, listed{key, o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), `"e"`, o.size})
	}
	out.KeyCount = len(out.Contents)
	return answer(w, out)
}

func (s *Server) begin(w http.ResponseWriter) error {
	s.mu.Lock()
	s.n++
	id := "upload-" + strconv.Itoa(s.n)
	s.uploads[id] = map[int]object{}
	s.mu.Unlock()
	return answer(w, struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket   string
		UploadID string `xml:"UploadId"`
	}{Bucket: Bucket, UploadID: id})
}

func (s *Server) part(w http.ResponseWriter, id, number string, body io.Reader) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 10000 {
		return failure{http.StatusBadRequest, "InvalidArgument"}
	}
	o, err := s.keep(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts, ok := s.uploads[id]
	if !ok {
		return failure{http.StatusNotFound, "NoSuchUpload"}
	}
	parts[n] = o
	w.Header().Set("ETag", `"p`+number+`"`)
	return nil
}

func (s *Server) abort(w http.ResponseWriter, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) complete(w http.ResponseWriter, key, id string, body io.Reader) error {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.NewDecoder(body).Decode(&in); err != nil {
		return failure{http.StatusBadRequest, "MalformedXML"}
	}
	s.mu.Lock()
	parts, ok := s.uploads[id]
	s.mu.Unlock()
	if !ok {
		return failure{http.StatusNotFound, "NoSuchUpload"}
	}
	var readers []io.Reader
	for i, p := range in.Part {
		o, ok := parts[p.PartNumber]
		switch {
		case !ok || strings.Trim(p.ETag, `"`) != "p"+strconv.Itoa(p.PartNumber) || i > 0 && p.PartNumber <= in.Part[i-1].PartNumber:
			return failure{http.StatusBadRequest, "InvalidPart"}
		case i < len(in.Part)-1 && o.size < minPart:
			return failure{http.StatusBadRequest, "EntityTooSmall"}
		}
		f, err := os.Open(o.path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		readers = append(readers, f)
	}
	whole, err := s.keep(io.MultiReader(readers...))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.objects[key] = whole
	delete(s.uploads, id)
	s.mu.Unlock()
	return answer(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: Bucket, Key: key, ETag: `"m"`})
}
