package store

// Queued tells how many writes wait.
func (s *Store) Queued() (n int) {
	for _, w := range s.writers {
		n += len(w.queue)
	}
	return n
}
