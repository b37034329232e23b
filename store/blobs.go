package store

import (
	"context"
	"database/sql"
)

// ID names this database, for ever.
func (s *Store) ID(ctx context.Context) (id string, err error) {
	_, err = s.one(ctx, `SELECT id FROM house`, nil, &id)
	return id, err
}

// UseBlobs keeps that a delivery needs these blobs. A blob that neither a delivery nor
// an event names is an orphan and is removed when it is a day old.
func (tx *Tx) UseBlobs(delivery string, refs ...string) error {
	for _, ref := range refs {
		if _, err := tx.exec(`INSERT INTO blob_uses (ref, delivery_id) VALUES (?, ?) ON CONFLICT (ref) DO NOTHING`, ref, delivery); err != nil {
			return err
		}
	}
	return nil
}

// UsedBlobs tells which of these blobs an event or a delivery needs.
func (s *Store) UsedBlobs(ctx context.Context, refs []string) (map[string]bool, error) {
	used := map[string]bool{}
	for _, query := range []string{`SELECT ref FROM blob_uses WHERE ref IN `, `SELECT content_ref FROM events WHERE content_ref <> '' AND content_ref IN `} {
		err := s.inParts(ctx, query, nil, refs, func(r *sql.Rows) error {
			ref, err := scanString(r)
			used[ref] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return used, nil
}
