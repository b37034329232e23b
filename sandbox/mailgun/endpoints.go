package mailgun

// Endpoints lists what is emulated of Mailgun's API: method and path, parameters in braces.
func Endpoints() []string {
	all := (&Server{}).endpoints()
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, e.method+" "+e.pattern)
	}
	return out
}
