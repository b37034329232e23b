// Package s3 keeps blobs in an object store that speaks Amazon's S3.
//
// What lives here: Store, which implements blob.Store. What may not: knowledge of what
// the bytes are, or of who needs them.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
)

// Config says where blobs are kept.
type Config struct {
	// Endpoint is the store's address, such as https://s3.eu-central-1.amazonaws.com.
	Endpoint string
	Region   string // "" = it is asked for
	Bucket   string // must be there
	// Prefix stands before all names, as it is: "postern/" makes a folder.
	Prefix               string
	AccessKey, SecretKey string
	// Scratch is a folder on a local disk. What is to be kept is gathered there first.
	Scratch string
	// PartSize is beyond how many bytes an upload is made in parts; 0 = 16 MiB, at least
	// 5 MiB. No part is held in memory.
	PartSize uint64
	// Transport makes the calls; nil = one with time-outs.
	Transport http.RoundTripper
	// Retries is how often a call is tried in all; 0 = 3.
	Retries int
}

// Store keeps blobs as objects of a bucket. An upload begins only when all of a blob is
// there: what is thrown away never leaves the machine, and an object is never half.
type Store struct {
	cfg  Config
	core minio.Core
}

// How long the store may take.
const (
	readTimeout  = time.Minute      // for a piece of a blob
	writeTimeout = 10 * time.Minute // for a whole blob
)

// New makes a Store. Denied: the configuration is wrong. It makes no call, see Check.
func New(cfg Config) (*Store, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" {
		return nil, postern.Errorf(postern.Denied, "s3.open", "the endpoint must be like https://s3.eu-central-1.amazonaws.com")
	}
	if cfg.PartSize == 0 {
		cfg.PartSize = 16 << 20
	}
	if cfg.Retries == 0 {
		cfg.Retries = 3
	}
	if cfg.Transport == nil {
		cfg.Transport = transport()
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Secure: u.Scheme == "https", Region: cfg.Region, Transport: cfg.Transport, MaxRetries: cfg.Retries,
	})
	if err != nil {
		return nil, &postern.Error{Kind: postern.Denied, Op: "s3.open", Err: err}
	}
	if err := blob.Scratch(cfg.Scratch); err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, core: *core}, nil
}

func transport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		DisableCompression:    true, // sizes and ranges are of the bytes as they are
	}
}

// Check tells whether the bucket can be listed. Denied: a key, a name or a right is
// wrong, and only an operator can change that.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var err error
	for o := range s.core.Client.ListObjects(ctx, s.cfg.Bucket, minio.ListObjectsOptions{Prefix: s.cfg.Prefix, MaxKeys: 1}) {
		err = o.Err
		break
	}
	if err == nil {
		return nil
	}
	e := fail("s3.check", err)
	if status := minio.ToErrorResponse(err).StatusCode; status >= 300 && status < 500 {
		e.Kind = postern.Denied
	}
	return e
}

func (s *Store) key(ref string) string { return s.cfg.Prefix + ref }

// NewDraft implements blob.Store.
func (s *Store) NewDraft(inMemory int) *blob.Draft {
	return blob.NewDraft(s.cfg.Scratch, inMemory, s.upload)
}

// upload reads the file as it sends, so that memory does not grow with its size.
func (s *Store) upload(f *os.File, size int64, ref string) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	info, err := s.core.Client.PutObject(ctx, s.cfg.Bucket, s.key(ref), f, size,
		minio.PutObjectOptions{PartSize: s.cfg.PartSize, NumThreads: 2, ContentType: "application/octet-stream"})
	if err == nil && info.Size != size {
		err = fmt.Errorf("%d bytes of %d were stored", info.Size, size)
	}
	if err != nil {
		return fail("s3.keep", err)
	}
	return nil
}

// Open implements blob.Store.
func (s *Store) Open(ref string) (blob.File, error) {
	if !blob.Valid(ref) {
		return nil, absent()
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	info, err := s.core.Client.StatObject(ctx, s.cfg.Bucket, s.key(ref), minio.StatObjectOptions{})
	if err != nil {
		return nil, fail("s3.open", err)
	}
	return &file{s: s, key: s.key(ref), size: info.Size}, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ref string) error {
	if !blob.Valid(ref) {
		return absent()
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	err := s.core.Client.RemoveObject(ctx, s.cfg.Bucket, s.key(ref), minio.RemoveObjectOptions{})
	if err != nil && postern.CauseOf(fail("s3.delete", err)) != postern.CauseNotFound {
		return fail("s3.delete", err)
	}
	return nil
}

// Old implements blob.Store.
func (s *Store) Old(ctx context.Context, before time.Time, do func(refs []string) error) error {
	const portion = 500
	ctx, cancel := context.WithCancel(ctx) // ends the listing wherever we leave it
	defer cancel()
	var refs []string
	for o := range s.core.Client.ListObjects(ctx, s.cfg.Bucket, minio.ListObjectsOptions{Prefix: s.cfg.Prefix, Recursive: true}) {
		if o.Err != nil {
			return fail("s3.list", o.Err)
		}
		if ref := strings.TrimPrefix(o.Key, s.cfg.Prefix); blob.Valid(ref) && o.LastModified.Before(before) {
			refs = append(refs, ref)
		}
		if len(refs) == portion {
			if err := do(refs); err != nil {
				return err
			}
			refs = nil
		}
	}
	if err := ctx.Err(); err != nil || len(refs) == 0 {
		return err
	}
	return do(refs)
}

// Owner keeps the name in an object beside the blobs.
func (s *Store) Owner(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	key := s.cfg.Prefix + "owner"
	for range 2 {
		r, _, _, err := s.core.GetObject(ctx, s.cfg.Bucket, key, minio.GetObjectOptions{})
		if err == nil {
			b, err := io.ReadAll(io.LimitReader(r, 1000))
			_ = r.Close()
			if err != nil {
				return "", fail("s3.owner", err)
			}
			return strings.TrimSpace(string(b)), nil
		}
		if postern.CauseOf(fail("s3.owner", err)) != postern.CauseNotFound {
			return "", fail("s3.owner", err)
		}
		// Of two who come first at once the later one's name stays, and is read again.
		if _, err := s.core.Client.PutObject(ctx, s.cfg.Bucket, key, strings.NewReader(name), int64(len(name)), minio.PutObjectOptions{}); err != nil {
			return "", fail("s3.owner", err)
		}
	}
	return "", postern.Errorf(postern.Temporary, "s3.owner", "%s comes and goes", filepath.Base(key))
}

func absent() error {
	return postern.Errorf(postern.Permanent, "s3.open", "no such blob").Because(postern.CauseNotFound)
}

// fail classes an error. All but an object that is not there may pass, a key that is
// refused as well: an operator changes it, and what waited goes on.
func fail(op string, err error) *postern.Error {
	var e *postern.Error
	if errors.As(err, &e) {
		return e
	}
	e = &postern.Error{Kind: postern.Temporary, Op: op, Err: err}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == "NoSuchKey":
		e.Kind, e.Cause = postern.Permanent, postern.CauseNotFound
	case r.StatusCode != 0:
		e.Code = r.Code
	}
	return e
}
