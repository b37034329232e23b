package conformance

// The services.
const (
	Mailgun  = "Mailgun"
	Sendbird = "Sendbird"
	DNSHosts = "GoDaddy and Cloudflare"
)

// The clients, as the document names them.
const (
	MailgunGo        = "mailgun-go 5.17.0"
	MailgunJS        = "mailgun.js 14.0.1"
	SendbirdJS       = "sendbird-platform-sdk 1.0.3"
	PosternClients   = "Postern's own"
	LibdnsCloudflare = "libdns/cloudflare 0.2.2"
	Plain            = "plain HTTP"
)
