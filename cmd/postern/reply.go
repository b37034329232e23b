package main

type replyCmd struct {
	JSON bool `name:"json" help:"Print the parts as JSON: reply, quotes, signature."`
}

// Run reads a raw mail from standard input and prints what is new in it.
func (cmd *replyCmd) Run(a *app) error {
	return errNotYet("reply")
}
