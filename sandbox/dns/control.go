package dns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// control is everything below /_emulator/. It is open to everybody who reaches it:
// serve it on loopback only.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]http.HandlerFunc{
		"GET /_emulator/{$}":                     s.controlHelp,
		"GET /_emulator/book":                    s.controlBook,
		"GET /_emulator/book/stream":             s.controlStream,
		"POST /_emulator/reset":                  s.controlReset,
		"GET /_emulator/switches":                s.controlSwitches,
		"PUT /_emulator/switches":                s.controlSwitches,
		"GET /_emulator/faults":                  s.controlFaults,
		"POST /_emulator/faults":                 s.controlFaultAdd,
		"DELETE /_emulator/faults":               s.controlFaultsClear,
		"DELETE /_emulator/faults/{id}":          s.controlFaultsClear,
		"GET /_emulator/clock":                   s.controlClock,
		"POST /_emulator/clock":                  s.controlClock,
		"GET /_emulator/zones":                   s.controlZones,
		"PUT /_emulator/zones/{zone}":            s.controlZonePut,
		"GET /_emulator/zones/{zone}":            s.controlZoneGet,
		"POST /_emulator/zones/{zone}/records":   s.controlRecordAdd,
		"DELETE /_emulator/records/{name}":       s.controlRecordDrop,
		"POST /_emulator/credentials":            s.controlCredential,
		"GET /_emulator/lookup/{type}/{name...}": s.controlLookup,
	} {
		mux.HandleFunc(pattern, f)
	}
	return mux
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		writeError(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func done(w http.ResponseWriter) { writeJSON(w, http.StatusOK, map[string]bool{"ok": true}) }

func (s *Server) controlHelp(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"fault_actions": faultActions(), "servers": s.addrs, "paths": []string{
		"GET book?after=&limit=&kind=", "GET book/stream?after=", "POST reset", "GET|PUT switches", "GET|POST|DELETE faults", "DELETE faults/{id}",
		"GET|POST clock {advance}", "GET zones", "PUT zones/{zone} {host,ns,delegated,records}", "GET zones/{zone}",
		"POST zones/{zone}/records {name,type,data,ttl,priority}", "DELETE records/{name}?type=", "POST credentials", "GET lookup/{type}/{name}"}})
}

func cursor(r *http.Request) int64 {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	n, _ := strconv.ParseInt(after, 10, 64)
	return n
}

func (s *Server) controlBook(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, kind := cursor(r), r.URL.Query().Get("kind")
	entries, _ := s.book.after(after, 0)
	out := []Entry{}
	for _, e := range entries {
		after = e.Seq
		if kind == "" || kind == e.Kind {
			out = append(out, e)
		}
		if limit > 0 && len(out) >= limit {
			break
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"entries": out, "after": after})
}

// controlStream sends each entry as a server-sent event with its number as id.
func (s *Server) controlStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{})
	after := cursor(r)
	for {
		entries, more := s.book.after(after, 500)
		for _, e := range entries {
			b, _ := json.Marshal(e)
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Seq, b); err != nil {
				return
			}
			after = e.Seq
		}
		if rc.Flush() != nil {
			return
		}
		if len(entries) == 500 {
			continue
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
	}
}

func (s *Server) controlReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	done(w)
}

func (s *Server) controlSwitches(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		sw := s.switches() // fields that are missing keep their value
		if !readJSON(w, r, &sw) {
			return
		}
		s.SetSwitches(func(p *Switches) { *p = sw })
	}
	writeJSON(w, http.StatusOK, s.switches())
}

func (s *Server) controlFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	out := []Fault{}
	for _, f := range s.st.faults {
		out = append(out, *f)
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"faults": out})
}

func (s *Server) controlFaultAdd(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !readJSON(w, r, &f) {
		return
	}
	id, err := s.AddFault(f)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"id": id})
}

func (s *Server) controlFaultsClear(w http.ResponseWriter, r *http.Request) {
	s.RemoveFault(r.PathValue("id"))
	done(w)
}

// controlClock shows the emulator's time; POST {"advance":"10m"} moves it.
func (s *Server) controlClock(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var in struct {
			Advance string `json:"advance"`
		}
		if !readJSON(w, r, &in) {
			return
		}
		d, err := time.ParseDuration(in.Advance)
		if err != nil || d < 0 {
			writeError(w, http.StatusBadRequest, fmt.Errorf("advance must be a positive duration, not %q", in.Advance))
			return
		}
		s.Advance(d)
	}
	writeJSON(w, http.StatusOK, map[string]any{"now": s.Now()})
}

func (s *Server) controlZones(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	out := []Zone{}
	for _, name := range s.st.order {
		out = append(out, s.st.zones[name].Zone)
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"zones": out})
}

func (s *Server) controlZonePut(w http.ResponseWriter, r *http.Request) {
	var z Zone
	if !readJSON(w, r, &z) {
		return
	}
	z.Name = r.PathValue("zone")
	if err := s.AddZone(z); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	done(w)
}

func (s *Server) controlZoneGet(w http.ResponseWriter, r *http.Request) {
	name := canonical(r.PathValue("zone"))
	s.mu.Lock()
	z := s.st.zones[name]
	var out Zone
	if z != nil {
		out = z.Zone
	}
	s.mu.Unlock()
	if z == nil {
		writeError(w, http.StatusNotFound, fmt.Errorf("no zone %q", name))
		return
	}
	out.Records = s.Records(name)
	writeJSON(w, http.StatusOK, out)
}

// controlRecordAdd adds to a zone what somebody else put there; name is full.
func (s *Server) controlRecordAdd(w http.ResponseWriter, r *http.Request) {
	var in Record
	if !readJSON(w, r, &in) {
		return
	}
	if zone := canonical(r.PathValue("zone")); !within(canonical(in.Name), zone) {
		writeError(w, http.StatusBadRequest, fmt.Errorf("%q is not in %q", in.Name, zone))
		return
	}
	if err := s.Put(in); err != nil {
		writeError(w, http.StatusNotFound, err)
		return
	}
	done(w)
}

func (s *Server) controlRecordDrop(w http.ResponseWriter, r *http.Request) {
	n := s.Drop(r.PathValue("name"), r.URL.Query().Get("type"))
	writeJSON(w, http.StatusOK, map[string]int{"dropped": n})
}

// controlCredential makes one more credential of a kind, with its scopes.
func (s *Server) controlCredential(w http.ResponseWriter, r *http.Request) {
	var in Credential
	if !readJSON(w, r, &in) {
		return
	}
	if err := s.AddCredential(in); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	done(w)
}

func (s *Server) controlLookup(w http.ResponseWriter, r *http.Request) {
	values, err := s.Lookup(r.Context(), r.PathValue("type"), r.PathValue("name"))
	if err != nil {
		writeError(w, http.StatusBadGateway, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"values": append([]string{}, values...)})
}
