package sandbox

import "net/http"

// ServePage serves the page on which a newcomer plays.
func (w *World) ServePage() error {
	w.serve(w.page, http.NotFoundHandler())
	return nil
}
