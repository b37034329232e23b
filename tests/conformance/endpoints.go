package conformance

// The services.
const (
	Mailgun  = "Mailgun"
	Sendbird = "Sendbird"
)

// The clients, as the document names them.
const (
	MailgunGo      = "mailgun-go 5.17.0"
	MailgunJS      = "mailgun.js 14.0.1"
	SendbirdJS     = "sendbird-platform-sdk 1.0.3"
	PosternClients = "Postern's own"
	Plain          = "plain HTTP"
)
