package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/store"
)

// The environment of a child process.
const (
	envDatabase = "POSTERN_STORETEST_DATABASE"
	envName     = "POSTERN_STORETEST_NAME"
)

const crashLanes = 4

// Child makes the process record and work until it is killed, if Crash started it for
// that. It belongs at the beginning of TestMain.
func Child() {
	if dsn := os.Getenv(envDatabase); dsn != "" {
		if err := child(dsn, os.Getenv(envName)); err != nil {
			fmt.Println("error", err)
		}
		os.Exit(1)
	}
}

// child prints "ack KEY" for every event that was recorded.
func child(dsn, name string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{Database: dsn, Lease: time.Second})
	if err != nil {
		return err
	}
	go s.NewWorkers(4, slog.New(slog.DiscardHandler), handleOnce).Run(ctx)
	var mu sync.Mutex
	errs := make(chan error)
	for r := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d %d", name, r, i)
				_, _, err := s.Record(ctx, store.Arrival{Source: "test", Dedup: key, Digest: []byte{1}, Body: []byte(key),
					Jobs: []store.LaneJob{job(fmt.Sprint("lane", r%crashLanes), key)}})
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println("ack", key)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

// handleOnce leaves a note of each job, in the transaction that ends it.
func handleOnce(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
	jobs := l.Jobs[:min(len(l.Jobs), 5)]
	return func(tx *store.Tx) error {
		for _, j := range jobs {
			if err := tx.Note(store.Note{What: "did", Ref: l.Lane, Detail: j.Kind}); err != nil {
				return err
			}
		}
		return tx.Done(jobs...)
	}, nil
}

// Crash kills processes that record and work, with SIGKILL, round after round, then
// works off what is left and checks that everything acknowledged was handled once,
// and in order. On a shared database several processes are at it at once.
func Crash(t *testing.T, b Backend, rounds int) {
	dsn := b.Fresh(t)
	var acked []string
	for round := range rounds {
		n := 1
		if b.Shared {
			n = 2
		}
		var wg sync.WaitGroup
		lists := make([][]string, n)
		for i := range n {
			wg.Go(func() { lists[i] = runChild(t, dsn, fmt.Sprintf("r%dp%d", round, i), 150+100*i) })
		}
		wg.Wait()
		for _, l := range lists {
			acked = append(acked, l...)
		}
	}
	s := openAt(t, store.Config{Database: dsn, Lease: time.Second})
	work(t, s, 4, slog.New(slog.DiscardHandler), handleOnce)
	settle(t, s)
	checkCrash(t, s, acked)
	holds(t, b, s)
	if len(acked) < rounds*150 {
		t.Errorf("only %d events were acknowledged", len(acked))
	}
	t.Logf("%d acknowledged in %d rounds", len(acked), rounds)
}

// runChild kills a child after some acknowledgements and gives those it printed.
func runChild(t *testing.T, dsn, name string, kill int) (acked []string) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), envDatabase+"="+dsn, envName+"="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n') // a line without its end was not said
		if err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), "closed") {
				t.Error(err)
			}
			break
		}
		key, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "ack ")
		if !ok {
			t.Errorf("child %s: %s", name, line)
			break
		}
		if acked = append(acked, key); len(acked) == kill {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(acked) < kill {
		t.Errorf("child %s ended after %d events", name, len(acked))
	}
	return acked
}

func checkCrash(t *testing.T, s *store.Store, acked []string) {
	did, last := map[string]int{}, map[string]int{}
	for after := int64(0); ; {
		notes := must(s.Notes(ctxOf(t), after, 1000))(t)
		if len(notes) == 0 {
			break
		}
		for _, n := range notes {
			after = n.ID
			if n.What != "did" {
				t.Errorf("%+v", n)
				continue
			}
			did[n.Detail]++
			var who string
			var i int
			if _, err := fmt.Sscan(n.Detail, &who, &i); err != nil {
				t.Fatal(err)
			}
			if prev, seen := last[who]; i != prev+1 && (seen || i != 0) {
				t.Errorf("%s: %d after %d", who, i, prev)
			}
			last[who] = i
		}
	}
	for key, n := range did {
		if n != 1 {
			t.Errorf("%s was handled %d times", key, n)
		}
	}
	for _, key := range acked {
		if did[key] == 0 {
			t.Errorf("%s was acknowledged and never handled", key)
		}
		if _, dup, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: key, Digest: []byte{1}, Body: []byte(key)}); err != nil || !dup {
			t.Errorf("%s was acknowledged, but is not there: %v", key, err)
		}
	}
}
