package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Secret is a string that shows as *** wherever it is printed, logged or encoded.
// string(s) gives the value away: at the call that needs it, nowhere else.
type Secret string

func (s Secret) mask() string {
	if s == "" {
		return ""
	}
	return "***"
}

// Format covers every verb: %d or %x would show the bytes otherwise.
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, s.mask()) }
func (s Secret) String() string               { return s.mask() }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.mask()) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.mask()), nil }

// DSN names a database. A password in it does not show, as with Secret.
type DSN string

func (d DSN) mask() string {
	if d.sqlite() {
		return string(d)
	}
	u, err := url.Parse(string(d))
	if err != nil {
		return Secret(d).mask()
	}
	// A password may also stand in the query.
	u.RawQuery = ""
	return u.Redacted()
}

func (d DSN) sqlite() bool { return strings.HasPrefix(string(d), "sqlite:") }

// Format covers every verb, as Secret's does.
func (d DSN) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, d.mask()) }
func (d DSN) String() string               { return d.mask() }
func (d DSN) LogValue() slog.Value         { return slog.StringValue(d.mask()) }
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.mask()), nil }

// ByteSize is a number of bytes, written as 18MB (10^6) or 16MiB (2^20).
type ByteSize int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"GIB", 1 << 30}, {"MIB", 1 << 20}, {"KIB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// parseByteSize reads a size; a number without a unit is bytes.
func parseByteSize(s string) (ByteSize, error) {
	num, unit := strings.ToUpper(strings.TrimSpace(s)), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(num, u.name); ok {
			num, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errors.New("not a size; write it like 18MB or 16MiB")
	}
	return ByteSize(n * unit), nil
}

func (b ByteSize) String() string {
	for _, u := range [...]struct {
		name string
		size ByteSize
	}{{"GB", 1e9}, {"MB", 1e6}, {"MiB", 1 << 20}, {"kB", 1e3}, {"KiB", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// parseDuration reads a duration as time.ParseDuration does, and days: 90d, 1d12h. It
// may not be negative.
func parseDuration(s string) (time.Duration, error) {
	errBad := errors.New("not a duration")
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	var d time.Duration
	if found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errBad
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if rest != "" || !found {
		r, err := time.ParseDuration(rest)
		if err != nil || r < 0 || found && strings.ContainsAny(rest[:1], "+-") {
			return 0, errBad
		}
		d += r
	}
	if d < 0 {
		return 0, errBad
	}
	return d, nil
}

// minKeyBytes is the least length of a key of reply addresses and links.
const minKeyBytes = 32

// decodeKeys reads the comma separated base64 keys of `secret`, with either
// alphabet of RFC 4648 and with or without padding.
func decodeKeys(s string) ([][]byte, error) {
	var keys [][]byte
	for i, part := range strings.Split(s, ",") {
		text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(part), "="))
		key, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("key %d is not base64; make one with: openssl rand -base64 32", i+1)
		}
		if len(key) < minKeyBytes {
			return nil, fmt.Errorf("key %d has %d bytes, %d are needed; make one with: openssl rand -base64 32", i+1, len(key), minKeyBytes)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
