package page

import "sync"

// unnumbered holds what the gateway told without a number: it tells the newest of it every
// time. Here each gets one.
type unnumbered struct {
	mu   sync.Mutex
	last int64
	seen map[note]int64
	list map[int64]note
}

func newUnnumbered() *unnumbered { return &unnumbered{seen: map[note]int64{}, list: map[int64]note{}} }

// keptTold bounds what is remembered: far more than the gateway tells at once, which is of
// 100 mails and 400 arrivals.
const keptTold = 20_000

// fresh gives those that were not told before, with numbers.
func (u *unnumbered) fresh(told []note) (out []note) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range told {
		n.At = n.At.UTC()
		if u.seen[n] != 0 {
			continue
		}
		u.last++
		u.seen[n] = u.last
		n.ID = u.last
		u.list[n.ID] = n
		out = append(out, n)
		if old, ok := u.list[u.last-keptTold]; ok {
			delete(u.list, old.ID)
			old.ID = 0
			delete(u.seen, old)
		}
	}
	return out
}

func (u *unnumbered) entry(n int64) (note, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.list[n]
	return found, ok
}
