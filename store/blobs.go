package store

import "context"

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
	for len(refs) > 0 {
		n := min(len(refs), perLane)
		places := inLength(n)
		args := make([]any, places)
		for i := range args {
			args[i] = refs[min(i, n-1)]
		}
		for _, query := range []string{`SELECT ref FROM blob_uses WHERE ref IN `, `SELECT content_ref FROM events WHERE content_ref <> '' AND content_ref IN `} {
			rows, err := s.query(ctx, query+in(places), args...)
			if err != nil {
				return nil, err
			}
			found, err := collect(rows, scanString)
			if err != nil {
				return nil, err
			}
			for _, ref := range found {
				used[ref] = true
			}
		}
		refs = refs[n:]
	}
	return used, nil
}
