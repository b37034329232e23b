//go:build unix

package replytext

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shortMail is what most answers look like: two lines over a quoted message.
const shortMail = "Yes, the office is fine, third floor please.\n\nThanks\nOmar\n\n" +
	"On Mon, Jan 5, 2026 at 10:15 AM Ana (Support) <k3v9x2m7q4t8w1z6@chat.gateway.example> wrote:\n\n" +
	"> Hi Omar, your order left our warehouse this morning.\n>\n" +
	"> Would you like it delivered to the office or to your home address? The\n> carrier needs to know by tomorrow noon.\n>\n" +
	"> You get this mail because you were away from the chat.\n"

// cpu is the processor time that the process has used, on all cores: unlike the
// clock it does not depend on what else the machine is doing.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkShort gives mails per second of one core, for text and HTML bodies,
// with and without the knowledge of what was sent.
func BenchmarkShort(b *testing.B) {
	paras := append([]string{}, sentMails[0]...)
	sent := []Sent{{From: []string{ourAddress}, Name: ourName, Text: wrapAll(paras, 78)}}
	page := clients[0].write([]string{"Yes, the office is fine, third floor please.", "Thanks", "Omar"},
		"On Mon, Jan 5, 2026 at 10:15 AM Ana (Support) <k3v9x2m7q4t8w1z6@chat.gateway.example> wrote:", "<p>"+strings.Join(paras, "</p><p>")+"</p>")
	for _, c := range []struct {
		name string
		in   Input
	}{
		{"text", Input{Text: shortMail}},
		{"text/sent", Input{Text: shortMail, Sent: sent}},
		{"html", Input{HTML: page}},
		{"html/sent", Input{HTML: page, Sent: sent}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				if r := Extract(c.in); r.Text == "" {
					b.Fatal("nothing")
				}
			}
			b.ReportMetric(float64(b.N)/(cpu(b)-start).Seconds(), "mails/s")
		})
	}
}

// BenchmarkLinear shows the time for a byte, which must not grow with the input.
func BenchmarkLinear(b *testing.B) {
	for name := range hostile(1) {
		for _, n := range []int{1 << 10, 1 << 15, 1 << 20} {
			in := hostile(n)[name]
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "-"), n), func(b *testing.B) {
				start := cpu(b)
				for b.Loop() {
					Extract(in)
				}
				b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N)/float64(n), "ns/byte")
			})
		}
	}
}
