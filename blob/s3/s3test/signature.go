package s3test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	streaming   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	unsigned    = "UNSIGNED-PAYLOAD"
	amzDate     = "20060102T150405Z"
	maxSkew     = 15 * time.Minute
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var (
	errDenied    = failure{http.StatusForbidden, "AccessDenied"}
	errSignature = failure{http.StatusForbidden, "SignatureDoesNotMatch"}
)

// verify checks a request's signature and gives its body, which is checked as it is read.
// See "Authenticating Requests (AWS Signature Version 4)" in Amazon's S3 API reference.
func verify(r *http.Request) (io.Reader, error) {
	words, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !ok {
		return nil, errDenied
	}
	fields := map[string]string{}
	for w := range strings.SplitSeq(words, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(w), "=")
		fields[k] = v
	}
	when, err := time.Parse(amzDate, r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(when).Abs() > maxSkew {
		return nil, failure{http.StatusForbidden, "RequestTimeTooSkewed"}
	}
	region := Region
	if r.URL.Query().Has("location") {
		region = "us-east-1" // whoever asks for the region does not know it
	}
	scope := when.Format("20060102") + "/" + region + "/s3/aws4_request"
	switch key, got, _ := strings.Cut(fields["Credential"], "/"); {
	case key != AccessKey:
		return nil, failure{http.StatusForbidden, "InvalidAccessKeyId"}
	case got != scope:
		return nil, failure{http.StatusBadRequest, "AuthorizationHeaderMalformed"}
	}
	headers, err := canonicalHeaders(r, fields["SignedHeaders"])
	if err != nil {
		return nil, err
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers, fields["SignedHeaders"], payload}, "\n")
	signed := strings.Join([]string{algorithm, when.Format(amzDate), scope, sha(canonical)}, "\n")
	key := signingKey(when, region)
	signature := hex.EncodeToString(mac(key, signed))
	if !hmac.Equal([]byte(signature), []byte(fields["Signature"])) {
		return nil, errSignature
	}
	switch {
	case payload == streaming:
		return &chunked{r: bufio.NewReader(r.Body), key: key, before: signature, head: "AWS4-HMAC-SHA256-PAYLOAD\n" + when.Format(amzDate) + "\n" + scope}, nil
	case payload == unsigned && (r.TLS != nil || r.ContentLength == 0):
		return r.Body, nil
	case len(payload) == 64:
		return &hashed{r: r.Body, h: sha256.New(), want: payload}, nil
	}
	return nil, failure{http.StatusBadRequest, "InvalidRequest"}
}

// canonicalHeaders writes the signed headers; the host and all of Amazon's must be.
func canonicalHeaders(r *http.Request, signed string) (string, error) {
	names := strings.Split(signed, ";")
	if !slices.Contains(names, "host") {
		return "", errSignature
	}
	for name := range r.Header {
		if l := strings.ToLower(name); strings.HasPrefix(l, "x-amz-") && !slices.Contains(names, l) {
			return "", errSignature
		}
	}
	var b strings.Builder
	for _, name := range names {
		v := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			v = r.Host
		case "content-length":
			v = strconv.FormatInt(r.ContentLength, 10)
		}
		b.WriteString(name + ":" + strings.TrimSpace(v) + "\n")
	}
	return b.String(), nil
}

func canonicalQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

func signingKey(when time.Time, region string) []byte {
	k := mac([]byte("AWS4"+SecretKey), when.Format("20060102"))
	return mac(mac(mac(k, region), "s3"), "aws4_request")
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func sha(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// hashed is a body whose hash was signed.
type hashed struct {
	r    io.Reader
	h    hash.Hash
	want string
}

func (b *hashed) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.h.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(b.h.Sum(nil)) != b.want {
		err = failure{http.StatusBadRequest, "XAmzContentSHA256Mismatch"}
	}
	return n, err
}

// chunked is a body in chunks, each of them signed.
type chunked struct {
	r            *bufio.Reader
	key          []byte
	before, head string
	chunk        []byte
	end          bool
}

func (c *chunked) Read(p []byte) (int, error) {
	for len(c.chunk) == 0 {
		if c.end {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.chunk)
	c.chunk = c.chunk[n:]
	return n, nil
}

func (c *chunked) next() error {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return errors.Join(failure{http.StatusBadRequest, "IncompleteBody"}, err)
	}
	size, signature, _ := strings.Cut(strings.TrimSpace(line), ";chunk-signature=")
	n, err := strconv.ParseUint(size, 16, 24)
	if err != nil {
		return failure{http.StatusBadRequest, "InvalidChunkSizeError"}
	}
	c.chunk = make([]byte, n)
	if _, err := io.ReadFull(c.r, c.chunk); err != nil {
		return failure{http.StatusBadRequest, "IncompleteBody"}
	}
	_, _ = c.r.Discard(2) // CR LF
	want := hex.EncodeToString(mac(c.key, strings.Join([]string{c.head, c.before, emptySHA256, sha(string(c.chunk))}, "\n")))
	if !hmac.Equal([]byte(want), []byte(signature)) {
		return errSignature
	}
	c.before, c.end = want, n == 0
	return nil
}
