package sendbird

import "strings"

// Endpoints lists what is emulated of the Platform API: method and path below /v3, parameters in braces. Calls that
// are the same for group and open channels are listed with {channel_type}.
func Endpoints() []string {
	rt := (&Server{}).table()
	out := make([]string, 0, len(rt.routes))
	for _, r := range rt.routes {
		out = append(out, r.method+" /v3/"+strings.Join(r.segments, "/"))
	}
	return out
}
