package mailgun_test

import (
	"github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/webhook"
)

var (
	_ relay.Provider   = (*mailgun.Client)(nil)
	_ relay.Finder     = (*mailgun.Client)(nil)
	_ relay.Tracer     = (*mailgun.Client)(nil)
	_ relay.Lifter     = (*mailgun.Client)(nil)
	_ webhook.MailHook = (*mailgun.Client)(nil)
)
