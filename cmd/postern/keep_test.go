package main

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/blob/s3/s3test"
	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/store"
)

// A message whose job was given up is mailed when an operator replays it, through the
// gateway that has the database.
func TestReplayThroughTheGateway(t *testing.T) {
	w := newWorld(t, "POSTERN_NOTIFY_DELAY=1h")
	w.says("ana", "Lost?")
	w.waitFor("the message", func() bool {
		b, err := w.g.store.Backlog(t.Context())
		return err == nil && b.Jobs == 1
	})
	w.stop()
	w.bury()
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	w.start(ln)
	command := func(args ...string) (int, string) {
		var out, errOut bytes.Buffer
		env := []string{"POSTERN_DATABASE=" + string(w.cfg.Database), "POSTERN_LISTEN=" + w.addr, "POSTERN_ADMIN_TOKEN=" + w.AdminToken}
		status := run(t.Context(), append([]string{"replay"}, args...), strings.NewReader(""), &out, &errOut, env)
		return status, out.String() + errOut.String()
	}
	if status, out := command(); status != exitOK || !strings.Contains(out, "message") || !strings.Contains(out, "tried in vain") || strings.Contains(out, "Lost?") {
		t.Fatalf("status %d: %s", status, out)
	}
	if n := len(w.mails(bobsAddress)); n != 0 {
		t.Fatalf("%d mails before the replay", n)
	}
	if status, out := command("4711"); status != exitFailed || !strings.Contains(out, "0 replayed") {
		t.Errorf("status %d: %s", status, out)
	}
	if status, out := command("--all", "--kind", "message"); status != exitOK || !strings.Contains(out, "1 replayed") {
		t.Errorf("status %d: %s", status, out)
	}
	if m := w.mail(bobsAddress, 1); !strings.Contains(m.Text, "Lost?") {
		t.Errorf("the mail says %q", m.Text)
	}
	if status, out := command(); status != exitOK || strings.Contains(out, "message") {
		t.Errorf("still listed: status %d: %s", status, out)
	}
}

// bury gives up everything that waits, while no gateway runs.
func (w *world) bury() {
	w.t.Helper()
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	s, err := store.Open(w.t.Context(), store.Config{Database: string(w.cfg.Database), Now: later})
	if err != nil {
		w.t.Fatal(err)
	}
	leases, err := s.Claim(w.t.Context(), 10)
	if err != nil || len(leases) == 0 {
		w.t.Fatal(len(leases), err)
	}
	for _, l := range leases {
		if err := s.Finish(w.t.Context(), l, func(tx *store.Tx) error { return tx.Bury(l.Jobs[0], "tried in vain") }); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// Mails and attachments go through a bucket, both ways.
func TestBlobsInABucket(t *testing.T) {
	server := s3test.Start(t, false)
	w := newWorld(t, "POSTERN_BLOBS_BUCKET="+s3test.Bucket, "POSTERN_BLOBS_ENDPOINT="+server.URL, "POSTERN_BLOBS_REGION="+s3test.Region,
		"POSTERN_BLOBS_ACCESS_KEY="+s3test.AccessKey, "POSTERN_BLOBS_SECRET_KEY="+s3test.SecretKey)
	w.uploads("ana", "offer.txt", "a fine bike")
	m := w.mail(bobsAddress, 1)
	objects := func() []string {
		return slices.DeleteFunc(server.Keys(), func(k string) bool { return k == "postern/owner" })
	}
	if len(m.Files) != 1 || len(objects()) != 1 {
		t.Errorf("the mail has %d files, the bucket %v", len(m.Files), objects())
	}
	w.replies(m, mailbox.Answer{Program: mailbox.Gmail, Text: "Thanks", Attachments: []mailbox.Attachment{{Filename: "large.bin", ContentType: "application/octet-stream", Data: bytes.Repeat([]byte("0123456789abcde\n"), 40<<10)}}})
	w.said("bob", "Thanks")
	w.waitFor("the file in the chat", func() bool {
		for _, m := range w.chat() {
			if m.File.Name == "large.bin" {
				return true
			}
		}
		return false
	})
	for _, key := range objects() {
		if !strings.HasPrefix(key, "postern/") {
			t.Errorf("an object called %s", key)
		}
	}
	if n := len(objects()); n < 2 {
		t.Errorf("%d objects: the answer is not among them", n)
	}
}

// A bucket that cannot be used is said at the start, with its variable, without a secret.
func TestBucketRefused(t *testing.T) {
	server := s3test.Start(t, false)
	cfg := defaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.Blobs = BlobsConfig{Bucket: s3test.Bucket, Endpoint: server.URL, Region: s3test.Region, AccessKey: s3test.AccessKey, SecretKey: "hush"}
	_, err := openBlobs(context.Background(), cfg)
	if err == nil || !strings.Contains(err.Error(), "POSTERN_BLOBS_BUCKET") || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
}

// Durations may be written in days; those of the retention have a least, or none at all.
func TestRetentionSettings(t *testing.T) {
	for value, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "3d": 72 * time.Hour, "4d12h": 108 * time.Hour, "100h": 100 * time.Hour, "0s": 0, "0d": 0} {
		c, err := loadConfig("", []string{"POSTERN_RETENTION_EVENTS=" + value})
		if err != nil || c.Retention.Events != want {
			t.Errorf("%s: %v, %v", value, c, err)
		}
	}
	for _, value := range []string{"71h", "2d", "1s", "-3d", "d", "3dd", "3d-1h", "3d+1h", "99999999d", "1.5d", "3 d", "3"} {
		if _, err := loadConfig("", []string{"POSTERN_RETENTION_EVENTS=" + value}); err == nil || !strings.Contains(err.Error(), "POSTERN_RETENTION_EVENTS (retention.events): ") {
			t.Errorf("%s: %v", value, err)
		}
	}
	c := defaultConfig()
	if r := c.Retention; r.Events != 30*24*time.Hour || r.Deliveries != 90*24*time.Hour {
		t.Errorf("%+v", r)
	}
	for value, want := range map[string]float64{"10": 10, "0.5": 0.5, "0": 0} {
		c, err := loadConfig("", []string{"POSTERN_MAILGUN_SEND_RATE=" + value})
		if err != nil || c.Mailgun.SendRate != want {
			t.Errorf("%s: %v", value, err)
		}
	}
	for _, value := range []string{"-1", "NaN", "Inf", "x"} {
		if _, err := loadConfig("", []string{"POSTERN_MAILGUN_SEND_RATE=" + value}); err == nil {
			t.Errorf("%s was taken", value)
		}
	}
}
