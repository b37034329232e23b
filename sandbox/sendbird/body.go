package sendbird

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	maxJSONBody = 16 << 20 // the documents promise 4 GB for data; nobody needs that here
	maxFormText = 1 << 20  // all text fields of a form together
	maxParts    = 64
)

// An upload is one file part, on disk already.
type upload struct {
	field, name, kind string
	size              int64
	path              string
	kept              bool
}

// readBody reads a request's parameters. Content types are taken as they come: multipart is a form, all else is JSON.
// Files go to disk as they arrive; drop removes those that no handler kept.
func (s *Server) readBody(r *http.Request, limit int64) (a *args, files []*upload, raw []byte, err error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		a, files, raw, err = s.readForm(multipart.NewReader(r.Body, params["boundary"]), limit)
		if err != nil {
			// The rest is read so that a client in mid-upload sees the answer, not a broken pipe.
			_, _ = io.CopyN(io.Discard, r.Body, 4*limit)
		}
		return a, files, raw, err
	}
	raw, err = io.ReadAll(io.LimitReader(r.Body, maxJSONBody+1))
	a = &args{m: obj{}}
	switch {
	case err != nil:
		return a, nil, nil, errBodyCut
	case len(raw) > maxJSONBody:
		return a, nil, raw, fail(codeTooLong, "Request body is too large.")
	case len(strings.TrimSpace(string(raw))) == 0:
		return a, nil, raw, nil
	}
	if err := decodeJSON(raw, &a.m); err != nil || a.m == nil {
		a.m = obj{}
		return a, nil, raw, fail(codeInvalidJSON, "Invalid JSON request body.")
	}
	return a, nil, raw, nil
}

// errBodyCut is a body whose sender went away: nobody is there to be answered.
var errBodyCut = errors.New("sendbird: request body cut off")

func (s *Server) readForm(mr *multipart.Reader, limit int64) (*args, []*upload, []byte, error) {
	var files []*upload
	form := url.Values{}
	text := 0
	give := func(err error) (*args, []*upload, []byte, error) {
		return textArgs(form), files, formNote(form, files), err
	}
	for n := 0; ; n++ {
		part, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			return give(nil)
		}
		if err != nil || n > maxParts {
			return give(fail(codeInvalid, "Malformed multipart body."))
		}
		if part.FileName() == "" {
			v, err := io.ReadAll(io.LimitReader(part, maxFormText+1))
			if err != nil {
				return give(errBodyCut)
			}
			if text += len(v); text > maxFormText {
				return give(fail(codeTooLong, "\"%s\" is too long.", part.FormName()))
			}
			form.Add(part.FormName(), string(v))
			continue
		}
		up, err := s.spool(part, limit)
		if up != nil {
			files = append(files, up)
		}
		if err != nil {
			return give(err)
		}
	}
}

// spool streams one file part to disk.
func (s *Server) spool(part *multipart.Part, limit int64) (*upload, error) {
	f, err := os.CreateTemp(s.dir, "upload-")
	if err != nil {
		return nil, fail(codeInternal, "Internal error.")
	}
	up := &upload{field: part.FormName(), name: part.FileName(), kind: part.Header.Get("Content-Type"), path: f.Name()}
	up.size, err = io.Copy(f, io.LimitReader(part, limit+1))
	if cerr := f.Close(); cerr != nil {
		return up, fail(codeInternal, "Internal error.")
	}
	switch {
	case err != nil:
		return up, errBodyCut
	case up.size > limit:
		return up, fail(codeTooLong, "\"%s\" must be at most %d bytes.", up.field, limit)
	}
	return up, nil
}

func dropUploads(files []*upload) {
	for _, f := range files {
		if !f.kept {
			_ = os.Remove(f.path)
		}
	}
}

// formNote is how the book shows a form: the bytes of files left out.
func formNote(form url.Values, files []*upload) []byte {
	note := obj{}
	for k, v := range form {
		note[k] = strings.Join(v, ",")
	}
	for _, f := range files {
		note[f.field] = obj{"filename": f.name, "content_type": f.kind, "size": f.size}
	}
	return encode(note, nil)
}
