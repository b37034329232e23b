package main

import "time"

// Config is the whole configuration. Everything else derives from this struct: the
// keys of the TOML file, the environment variables (POSTERN_SENDBIRD_APP_ID for
// sendbird.app_id) and their _FILE variants, the defaults, docs/configuration.md
// and the file that `postern init` writes.
//
// Tags:
//
//	key      name in TOML, within its section
//	doc      what it means, for the operator
//	default  value when nothing is set, written as in the environment
//	says     how the documents put a default that is computed
//	enum     the words allowed
//	form     a further check, see forms
//	min      smallest number or size allowed; nothing may be negative anyhow
//	need     the command that cannot run without it
//	unless   another key that makes this one dispensable
//
// An empty value counts as not set, wherever it comes from. Fields of type Secret
// and DSN never show in logs, errors or documents.
type Config struct {
	Listen     string `key:"listen" default:"127.0.0.1:8080" form:"listen" doc:"Address and port to listen on."`
	PublicURL  string `key:"public_url" form:"url" need:"serve" doc:"Where the world reaches us, such as https://postern.example.com. It stands in unsubscribe links and in the addresses of our webhooks."`
	Database   DSN    `key:"database" default:"sqlite:postern.db" form:"database" doc:"sqlite:FILE (one process) or postgres://USER:PASSWORD@HOST/NAME (any number of replicas)."`
	DataDir    string `key:"data_dir" default:"postern-data" doc:"Folder for raw mail and attachments. Replicas must share it."`
	Secret     Secret `key:"secret" form:"keys" need:"serve" doc:"Key of reply addresses and links: 32 random bytes or more in base64 (openssl rand -base64 32). Several, comma separated: the first signs, all verify. If it is lost, answers to all mail sent so far are lost."`
	AdminToken Secret `key:"admin_token" doc:"Bearer token of /api/v1 and login of the console. Without it both are closed."`

	Sendbird  SendbirdConfig  `key:"sendbird" doc:"The chat platform, Sendbird."`
	Mailgun   MailgunConfig   `key:"mailgun" doc:"The e-mail provider, Mailgun."`
	People    PeopleConfig    `key:"people" doc:"Which address a chat user has."`
	Notify    NotifyConfig    `key:"notify" doc:"When a chat message becomes an e-mail."`
	Mail      MailConfig      `key:"mail" doc:"The e-mails that go out."`
	Receipts  ReceiptsConfig  `key:"receipts" doc:"What the chat is told about delivery and reading."`
	Reconcile ReconcileConfig `key:"reconcile" doc:"Looking for chat messages whose webhook never came."`
	Inbound   InboundConfig   `key:"inbound" doc:"The e-mails that come in."`
	Log       LogConfig       `key:"log" doc:"The log, on standard error."`
	Server    ServerConfig    `key:"server" doc:"How much is done at once."`

	// Warnings are remarks for the log, such as a misspelt environment variable.
	Warnings []string
}

// SendbirdConfig is what it takes to talk to Sendbird.
type SendbirdConfig struct {
	AppID            string   `key:"app_id" need:"serve" unless:"sendbird.api_url" doc:"Application ID, from the dashboard's overview."`
	APIURL           string   `key:"api_url" form:"url" says:"https://api-{app_id}.sendbird.com/v3" doc:"Base address of the Platform API, version included."`
	APIToken         Secret   `key:"api_token" need:"serve" doc:"API token for calls; a secondary token will do."`
	MasterToken      Secret   `key:"master_token" says:"that of sendbird.api_token" doc:"Master API token. Sendbird signs webhooks with this one, never with a secondary token."`
	FileHosts        []string `key:"file_hosts" default:".sendbird.com" doc:"Hosts from which files of chat messages are fetched; with a leading dot all hosts below it. Private addresses are always refused."`
	MaxMessageLength int      `key:"max_message_length" default:"5000" min:"1" doc:"Longest text of a chat message in characters; longer replies are split. Applies where the channel does not tell its own."`
}

// MailgunConfig is what it takes to talk to Mailgun.
type MailgunConfig struct {
	Domain      string        `key:"domain" form:"domain" need:"serve" doc:"Sending domain. Reply addresses are below it too, so it needs MX records and a route to us."`
	Region      string        `key:"region" default:"us" enum:"us,eu" doc:"Where the domain lives at Mailgun."`
	APIURL      string        `key:"api_url" form:"url" says:"by region: https://api.mailgun.net or https://api.eu.mailgun.net" doc:"Base address of the API, without a version."`
	SendingKey  Secret        `key:"sending_key" need:"serve" doc:"Domain sending key (or account key) for sending."`
	AccountKey  Secret        `key:"account_key" doc:"Account API key, for set-up, for asking whether an uncertain send arrived, and for lifting suppressions."`
	SigningKeys []Secret      `key:"signing_keys" need:"serve" doc:"HTTP webhook signing keys; the old and the new one during a rotation."`
	UnsureAfter time.Duration `key:"unsure_after" default:"35m" doc:"How long an uncertain send must stay unfound at Mailgun before it is repeated."`
}

// PeopleConfig says how addresses are found.
type PeopleConfig struct {
	UserIDIsAddress bool `key:"user_id_is_address" default:"false" doc:"Whether a chat user who is not in the table of people, and whose user id is an e-mail address, is written to there."`
}

// NotifyConfig says when mail goes out.
type NotifyConfig struct {
	When     string        `key:"when" default:"offline" enum:"offline,unread,never" doc:"offline: members without a connection; unread: also connected ones who have not read it by the end of the quiet window; never: no mail."`
	Delay    time.Duration `key:"delay" default:"10s" doc:"Quiet window: messages that follow one another this closely go out as one e-mail. 0s sends at once."`
	DelayMax time.Duration `key:"delay_max" default:"0s" doc:"A burst that does not end is mailed after this long all the same. 0s: five times notify.delay."`
}

// MailConfig shapes the mail that goes out.
type MailConfig struct {
	FromName    string   `key:"from_name" doc:"Put in parentheses behind the sender's name, as in Ana (Support). Empty: the channel's name."`
	AttachLimit ByteSize `key:"attach_limit" default:"18MB" doc:"Files up to this much together are attached, larger ones linked. Mailgun takes 25 MB for a whole mail, in which a file needs 1.37 times its size."`
}

// ReceiptsConfig says which marks are set in the chat.
type ReceiptsConfig struct {
	Read          string        `key:"read" default:"human-open" enum:"human-open,any-open,reply,off" doc:"What marks a message as read: a person opened the mail; anything opened it, robots included; only an answer; nothing."`
	HumanAfter    time.Duration `key:"human_after" default:"20s" doc:"An open sooner than this after delivery is a machine's."`
	UnprovenAfter time.Duration `key:"unproven_after" default:"72h" doc:"An e-mail that Mailgun took, and of which neither an event nor Mailgun's books tell for this long whether it arrived, no longer keeps later e-mails from being marked. The chat has one mark for all messages, so it then shows that one as delivered too. 0s: it keeps them for good."`
}

// ReconcileConfig says how lost webhooks are made up for.
type ReconcileConfig struct {
	Window    time.Duration `key:"window" default:"24h" doc:"How far back messages are looked for whose webhook never came, as after a time in which we were down. 0s: they are not looked for."`
	Every     time.Duration `key:"every" default:"5m" doc:"How often the chat is asked in which channels something was written."`
	PerMinute int           `key:"per_minute" default:"300" min:"1" doc:"Most calls a minute for it, over all replicas."`
	Channels  bool          `key:"channels" default:"true" doc:"Whether the chat may be asked for its channels, newest message first. Without it only conversations are looked through that were mailed before, and by time."`
}

// InboundConfig says what becomes of mail that comes in.
type InboundConfig struct {
	Strangers string `key:"strangers" default:"hold" enum:"hold,refuse,guest" doc:"A mail to a reply address from somebody else than its owner: hold it for the operator, refuse it, or post it marked as a guest's."`
}

// LogConfig shapes the log.
type LogConfig struct {
	Format string `key:"format" default:"text" enum:"text,json" doc:"Form of the lines."`
	Level  string `key:"level" default:"info" enum:"debug,info,warn,error" doc:"The least important lines to show. Below debug, nothing of a message or an address is logged."`
}

// ServerConfig sizes the engine.
type ServerConfig struct {
	Workers             int `key:"workers" default:"1000" min:"1" doc:"Most remote calls at once: sends, posts, receipts."`
	DatabaseConnections int `key:"database_connections" default:"16" min:"4" doc:"Most connections to PostgreSQL. SQLite does not need it."`
}

// derive fills in the defaults that depend on other keys.
func (c *Config) derive() {
	if c.Sendbird.APIURL == "" && c.Sendbird.AppID != "" {
		c.Sendbird.APIURL = "https://api-" + c.Sendbird.AppID + ".sendbird.com/v3"
	}
	if c.Sendbird.MasterToken == "" {
		c.Sendbird.MasterToken = c.Sendbird.APIToken
	}
	if c.Mailgun.APIURL == "" {
		c.Mailgun.APIURL = "https://api.mailgun.net"
		if c.Mailgun.Region == "eu" {
			c.Mailgun.APIURL = "https://api.eu.mailgun.net"
		}
	}
	if c.Notify.DelayMax == 0 {
		c.Notify.DelayMax = 5 * c.Notify.Delay
	}
}
