package doctor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// Clock compares our clock with those of the services, by the Date of whatever they answer.
type Clock struct {
	URLs   []string
	Client *http.Client     // default one of our own
	Now    func() time.Time // default time.Now
}

const (
	clockWarns = 30 * time.Second
	clockFails = 5 * time.Minute
)

// Check gives the check of the clock.
func (c Clock) Check() Check { return Check{Subject: "CLOCK", Ask: c.ask} }

func (c Clock) ask(ctx context.Context) []postern.Finding {
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		best time.Duration
		host string
	)
	for _, u := range c.URLs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			off, at, ok := c.compare(ctx, u)
			mu.Lock()
			defer mu.Unlock()
			// Whoever is nearest to us is right: two wrong clocks seldom agree.
			if ok && (host == "" || off.Abs() < best.Abs()) {
				best, host = off, at
			}
		}()
	}
	wg.Wait()
	switch {
	case host == "":
		return []postern.Finding{Skip("CLOCK", "no service answered with the time")}
	case best.Abs() > clockFails:
		return []postern.Finding{Found("CLOCK-WRONG", "our clock is %s, says %s", apart(best), host)}
	case best.Abs() > clockWarns:
		return []postern.Finding{Found("CLOCK-OFF", "our clock is %s, says %s", apart(best), host)}
	}
	return []postern.Finding{OK("CLOCK", "within %v of %s", max(best.Abs().Round(time.Second), time.Second), host)}
}

// apart says how far ahead we are.
func apart(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " slow"
	}
	return d.Round(time.Second).String() + " fast"
}

// compare tells how far we are ahead of a server. A Date is a whole second, cut off.
func (c Clock) compare(ctx context.Context, target string) (ahead time.Duration, host string, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, "", false
	}
	req.Header.Set("User-Agent", "postern-doctor")
	before := c.Now()
	resp, err := c.Client.Do(req)
	if err != nil {
		return 0, "", false
	}
	_ = resp.Body.Close()
	after := c.Now()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, "", false
	}
	ours := before.Add(after.Sub(before) / 2)
	return ours.Sub(theirs.Add(500 * time.Millisecond)), req.URL.Host, true
}
