package sendbird_test

import (
	"github.com/postern-chat/postern/platform/sendbird"
	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/webhook"
)

// The same client serves the rules and the way in.
var (
	_ relay.Platform   = (*sendbird.Client)(nil)
	_ relay.Lister     = (*sendbird.Client)(nil)
	_ webhook.ChatHook = (*sendbird.Client)(nil)
)
