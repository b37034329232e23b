package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Emulated are the endpoints of a service.
type Emulated struct {
	Service   string
	Endpoints []string
}

// LeftOut are a client's calls for what is not emulated.
type LeftOut struct {
	Client string
	Calls  []string
}

// Document writes the table of docs/sandbox-conformance.md from what was asked and answered.
func Document(services []Emulated, left []LeftOut, rec *Recorder) string {
	var b strings.Builder
	b.WriteString(`# What the sandbox's emulators support, and who checked it

<!-- Written by tests/conformance/run.sh -update from a run of the suite; a test fails if it is out of date. -->

Each line is an endpoint that an emulator answers. The last column names the clients that called it with success in the
conformance suite (` + "`tests/conformance`" + `), each answer's content checked. Nobody here wrote the vendors' clients: Mailgun's Go
SDK and ` + "`mailgun.js`" + `, Sendbird's MIT-licensed ` + "`sendbird-platform-sdk`" + `, and libdns's provider for Cloudflare (the one for RFC 2136 is run, too: it speaks no HTTP). *Postern's own* are the product's clients, whose
requests are held against the vendors' OpenAPI files as well. *Plain HTTP* is the suite without a client.
`)
	for _, s := range services {
		vendor, own := 0, 0
		lines := []string{}
		for _, e := range sorted(s.Endpoints) {
			method, path, _ := strings.Cut(e, " ")
			clients := rec.Asked(s.Service, e)
			by := strings.Join(clients, ", ")
			switch {
			case slices.ContainsFunc(clients, func(c string) bool { return c != PosternClients && c != Plain }):
				vendor++
			case by != "":
				own++
			}
			lines = append(lines, fmt.Sprintf("| `%s` | `%s` | yes | %s |", method, path, cmp.Or(by, "nobody")))
		}
		fmt.Fprintf(&b, "\n## %s\n\n%d endpoints: %d checked by a client that nobody here wrote, %d by the suite alone.\n\n| | endpoint | supported | checked by |\n|---|---|---|---|\n%s\n",
			s.Service, len(lines), vendor, own, strings.Join(lines, "\n"))
	}
	b.WriteString("\n## Not supported\n\nWhat the clients could ask for and the emulators do not answer, by the names of the clients' calls.\n")
	for _, l := range left {
		calls := slices.Clone(l.Calls)
		slices.Sort(calls)
		fmt.Fprintf(&b, "\n**%s** (%d): %s.\n", l.Client, len(calls), strings.Join(calls, ", "))
	}
	b.WriteString("\n`messages.clearMessagesQueue` of mailgun.js goes to Mailgun's own storage hosts, whatever address the client was given: plain HTTP checks its endpoint.\n")
	return b.String()
}

// sorted by path, then by method.
func sorted(endpoints []string) []string {
	out := slices.Clone(endpoints)
	slices.SortStableFunc(out, func(a, b string) int {
		am, ap, _ := strings.Cut(a, " ")
		bm, bp, _ := strings.Cut(b, " ")
		return cmp.Or(strings.Compare(ap, bp), strings.Compare(am, bm))
	})
	return slices.Compact(out)
}
