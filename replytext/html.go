package replytext
func newHTMLDoc(s string, md bool) *doc { return newTextDoc(s) }
