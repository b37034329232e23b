package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// worldKey is where a script keeps its world.
type worldKey struct{}

func scriptWorld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: world HOST")
	}
	w, err := newOutside(ts.MkAbs("."))
	ts.Check(err)
	ts.Defer(w.Close)
	*worldOf(ts) = w
	for _, kv := range append(w.environ(args[0]), "POSTERN_DATA_DIR="+ts.MkAbs("data")) {
		k, v, _ := strings.Cut(kv, "=")
		ts.Setenv(k, v)
	}
}

func worldOf(ts *testscript.TestScript) **outside {
	w, ok := ts.Value(worldKey{}).(**outside)
	if !ok {
		ts.Fatalf("TestScript keeps no place for a world")
	}
	return w
}

func scriptPut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: put TYPE NAME VALUE [PRIO]")
	}
	r := dns.Record{Type: args[0], Name: args[1], Data: args[2]}
	if len(args) > 3 {
		n, err := strconv.Atoi(args[3])
		ts.Check(err)
		r.Priority = n
	}
	ts.Check((*worldOf(ts)).dns.Put(r))
}

func scriptEnter(ts *testscript.TestScript, neg bool, args []string) {
	w := *worldOf(ts)
	answer, err := w.call("GET", "/v4/domains/mg.example.com", nil)
	ts.Check(err)
	ts.Check(w.enter(answer))
}

func scriptZone(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte((*worldOf(ts)).zone()), 0o600))
}

func scriptState(ts *testscript.TestScript, neg bool, args []string) {
	s, err := (*worldOf(ts)).account()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte((*worldOf(ts)).zone()+volatile.ReplaceAllString(s, `"$1":"..."`)), 0o600))
}
