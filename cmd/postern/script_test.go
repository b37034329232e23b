package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-chat/postern/store"
)

// TestMain lets the scripts call this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": main})
}

// TestScript runs testdata/script/*.txt: the whole program, as its callers see it.
// Commands beside testscript's own:
//
//	status N postern ARGS...   run the program and want this exit status
//	mode FILE OCTAL            want these permissions
//	world HOST                 start an outside, configured by the environment; its zone is at HOST
//	put TYPE NAME VALUE [PRIO] put a record into its zone
//	enter                      put into its zone what Mailgun wants there
//	zone FILE                  write what is in its zone
//	state FILE                 write all that a set-up can touch
//	bury FILE KIND...          give jobs up in a SQLite database, one of each kind
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Values[worldKey{}] = new(*outside)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"bury":   scriptBury,
			"mode":   scriptMode,
			"status": scriptStatus,
			"world":  scriptWorld,
			"put":    scriptPut,
			"enter":  scriptEnter,
			"zone":   scriptZone,
			"state":  scriptState,
		},
	})
}

func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE OCTAL")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if have := strconv.FormatUint(uint64(info.Mode().Perm()), 8); have != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], have, args[1])
	}
}

func scriptBury(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: bury FILE KIND...")
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{Database: "sqlite:" + ts.MkAbs(args[0])})
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	for _, kind := range args[1:] {
		_, _, err := s.Record(ctx, store.Arrival{Source: "test", Body: []byte("hush: words of a message"),
			Jobs: []store.LaneJob{{Lane: "lane/" + kind, Kind: kind, Args: []byte("hush")}}})
		ts.Check(err)
	}
	leases, err := s.Claim(ctx, 100)
	ts.Check(err)
	for _, l := range leases {
		ts.Check(s.Finish(ctx, l, func(tx *store.Tx) error { return tx.Bury(l.Jobs[0], "no use:\nit said so") }))
	}
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGS...")
	}
	have := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Check(err)
		}
		have = exit.ExitCode()
	}
	if want := args[0]; strconv.Itoa(have) != want {
		ts.Fatalf("exit status %d, want %s", have, want)
	}
}

// TestRunInProcess: run needs nothing of the process but what it is given.
func TestRunInProcess(t *testing.T) {
	var out, errOut bytes.Buffer
	if status := run(context.Background(), []string{"version"}, nil, &out, &errOut, nil); status != exitOK || !bytes.HasPrefix(out.Bytes(), []byte("postern ")) {
		t.Errorf("version: status %d, %q, %q", status, &out, &errOut)
	}
	out.Reset()
	if status := run(context.Background(), []string{"--nonsense"}, nil, &out, &errOut, nil); status != exitUsage || out.Len() > 0 || errOut.Len() == 0 {
		t.Errorf("--nonsense: status %d, %q, %q", status, &out, &errOut)
	}
}
