package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/blob/s3"
	"github.com/postern-chat/postern/keep"
	"github.com/postern-chat/postern/store"
)

// openBlobs opens the place for blobs.
func openBlobs(ctx context.Context, cfg *Config) (blob.Store, error) {
	b := cfg.Blobs
	if b.Bucket == "" {
		d, err := blob.NewDir(cfg.DataDir)
		if err != nil {
			return nil, fmt.Errorf("data_dir (POSTERN_DATA_DIR) %s cannot be used: %w", cfg.DataDir, err)
		}
		return d, nil
	}
	s, err := s3.New(s3.Config{
		Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, Prefix: b.Prefix,
		AccessKey: string(b.AccessKey), SecretKey: string(b.SecretKey), Scratch: filepath.Join(cfg.DataDir, "tmp"),
	})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("the bucket %s (POSTERN_BLOBS_BUCKET) at %s cannot be used: %w", b.Bucket, b.Endpoint, err)
	}
	return s, nil
}

// newKeeper makes what tidies up.
func newKeeper(cfg *Config, log *slog.Logger, s *store.Store, blobs blob.Store) (*keep.Keeper, error) {
	r := cfg.Retention
	return keep.New(keep.Config{Store: s, Blobs: blobs, Logger: log, Keep: store.Keep{
		Events: r.Events, RawMail: r.RawMail, Deliveries: r.Deliveries, Posts: r.Posts, Notes: r.Notes, Held: r.Held, Dead: r.DeadJobs,
	}})
}
