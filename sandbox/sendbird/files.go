package sendbird

import (
	"fmt"
	"image"
	_ "image/gif"  // thumbnails of
	_ "image/jpeg" // what people
	"image/png"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// fileKeyLife is how long a user's key for encrypted files holds: three days from the login.
const fileKeyLife = 3 * 24 * 3600 * 1000

type storedFile struct {
	path, kind string
	size       int64
	channel    *channel // whose members may see it; nil for pictures of users and channels
}

func (f *storedFile) remove() { _ = os.Remove(f.path) }

// file finds an uploaded part by its field.
func (c *call) file(field string) *upload {
	for _, f := range c.files {
		if f.field == field {
			return f
		}
	}
	return nil
}

// storeFile keeps an upload under its address, which it gives.
func (s *Server) storeFile(up *upload, base string, ch *channel) (string, error) {
	name := s.hex(32) + extension(up.name, up.kind)
	path := filepath.Join(s.dir, name)
	if err := os.Rename(up.path, path); err != nil {
		return "", fail(codeInternal, "Internal error.")
	}
	up.kept, up.path = true, path
	s.files[name] = &storedFile{path: path, kind: up.kind, size: up.size, channel: ch}
	return s.fileURL(base, name), nil
}

func (s *Server) fileURL(base, name string) string {
	if s.cfg.FilesURL != "" {
		base = s.cfg.FilesURL
	}
	return strings.TrimRight(base, "/") + "/files/" + name
}

var plainExtension = regexp.MustCompile(`^\.[a-z0-9]{1,10}$`)

// extension takes the name's, if it is harmless, else the type's.
func extension(name, kind string) string {
	if ext := strings.ToLower(filepath.Ext(name)); plainExtension.MatchString(ext) {
		return ext
	}
	if list, err := mime.ExtensionsByType(kind); err == nil && len(list) > 0 {
		return list[0]
	}
	return ".bin"
}

func (s *Server) storeMessageFile(d *draft, base string, ch *channel) (fileRef, error) {
	up := d.file
	if up.kind == "" {
		up.kind = "application/octet-stream"
	}
	link, err := s.storeFile(up, base, ch)
	if err != nil {
		return fileRef{}, err
	}
	f := fileRef{url: link, name: up.name, kind: up.kind, size: up.size}
	for _, box := range d.boxes {
		if t := s.thumbnail(up, box, base, ch); t != nil {
			f.thumbnails = append(f.thumbnails, t)
		}
	}
	return f, nil
}

// thumbBox is the greatest width and height of a thumbnail.
type thumbBox struct{ width, height int }

func parseBox(s string) (thumbBox, bool) {
	w, h, ok := strings.Cut(s, ",")
	if !ok {
		return thumbBox{}, false
	}
	width, err1 := strconv.Atoi(strings.TrimSpace(w))
	height, err2 := strconv.Atoi(strings.TrimSpace(h))
	return thumbBox{width, height}, err1 == nil && err2 == nil && width > 0 && height > 0 && width <= 2000 && height <= 2000
}

// thumbnail shrinks a picture of at most 20 million points; of anything else there is none.
func (s *Server) thumbnail(up *upload, box thumbBox, base string, ch *channel) obj {
	f, err := os.Open(up.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	conf, _, err := image.DecodeConfig(f)
	if err != nil || conf.Width < 1 || conf.Height < 1 || conf.Width > 20_000_000/conf.Height {
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil
	}
	img, _, err := image.Decode(f)
	if err != nil {
		return nil
	}
	small := shrink(img, box)
	name := s.hex(32) + ".png"
	path := filepath.Join(s.dir, name)
	out, err := os.Create(path)
	if err != nil {
		return nil
	}
	defer out.Close()
	if err := png.Encode(out, small); err != nil {
		return nil
	}
	size, _ := out.Seek(0, io.SeekCurrent)
	s.files[name] = &storedFile{path: path, kind: "image/png", size: size, channel: ch}
	link := s.fileURL(base, name)
	return obj{"url": link, "plain_url": link, "width": box.width, "height": box.height,
		"real_width": small.Bounds().Dx(), "real_height": small.Bounds().Dy()}
}

// shrink keeps the proportions and takes the nearest point.
func shrink(img image.Image, box thumbBox) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if w > box.width {
		w, h = box.width, max(1, h*box.width/w)
	}
	if h > box.height {
		w, h = max(1, w*box.height/h), box.height
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			out.Set(x, y, img.At(b.Min.X+x*b.Dx()/w, b.Min.Y+y*b.Dy()/h))
		}
	}
	return out
}

// fileKey gives the user's ?auth= key and makes it hold again from now. Called under mu.
func (s *Server) fileKey(u *user) string {
	if u.fileKey == "" {
		u.fileKey = s.hex(64)
	}
	u.fileKeyEnd = s.now() + fileKeyLife
	return u.fileKey
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[r.PathValue("name")]
	allowed := f != nil && s.mayFetch(f, r)
	s.mu.Unlock()
	e := Entry{Kind: "call", Method: r.Method, Path: r.URL.EscapedPath(), Status: http.StatusOK}
	defer func() { s.book.add(e) }()
	if f == nil || !allowed {
		e.Status = http.StatusNotFound
		if f != nil {
			e.Status = http.StatusForbidden
		}
		http.Error(w, http.StatusText(e.Status), e.Status)
		return
	}
	file, err := os.Open(f.path)
	if err != nil {
		e.Status = http.StatusNotFound
		http.Error(w, "gone", e.Status)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Content-Length", fmt.Sprint(f.size))
	if _, err := io.Copy(w, file); err != nil {
		e.Error = "caller gone"
	}
}

// mayFetch: with encryption on, a file of a channel wants the API's token or the key of a member. Called under mu.
func (s *Server) mayFetch(f *storedFile, r *http.Request) bool {
	if !s.sw.FileEncryption || f.channel == nil {
		return true
	}
	if token := r.Header.Get("Api-Token"); token != "" {
		return s.validToken(token)
	}
	key := r.URL.Query().Get("auth")
	if key == "" {
		return false
	}
	for _, m := range f.channel.members {
		if u := m.user; u.fileKey == key && u.fileKeyEnd > s.now() {
			return true
		}
	}
	return false
}
