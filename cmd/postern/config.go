package main

import (
	"net/url"
	"time"
)

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
//	need     the commands that cannot run without it, comma separated; "setup/mailgun" is
//	         the part of setup by that name
//	min      smallest number or size allowed; nothing may be negative anyhow. Of a
//	         duration: the smallest but 0
//	need     the command that cannot run without it
//	unless   another key that makes this one dispensable
//
// An empty value counts as not set, wherever it comes from. Fields of type Secret
// and DSN never show in logs, errors or documents.
type Config struct {
	Listen     string `key:"listen" default:"127.0.0.1:8080" form:"listen" doc:"Address and port to listen on."`
	PublicURL  string `key:"public_url" form:"url" need:"serve,setup" doc:"Where the world reaches us, such as https://postern.example.com. It stands in unsubscribe links and in the addresses of our webhooks."`
	Database   DSN    `key:"database" default:"sqlite:postern.db" form:"database" doc:"sqlite:FILE (one process) or postgres://USER:PASSWORD@HOST/NAME (any number of replicas)."`
	DataDir    string `key:"data_dir" default:"postern-data" doc:"Folder for raw mail and attachments. Replicas must share it, unless blobs.bucket is set."`
	Secret     Secret `key:"secret" form:"keys" need:"serve" doc:"Key of reply addresses and links: 32 random bytes or more in base64 (openssl rand -base64 32). Several, comma separated: the first signs, all verify. If it is lost, answers to all mail sent so far are lost."`
	AdminToken Secret `key:"admin_token" doc:"Bearer token of /api/v1 and login of the console. Without it both are closed."`

	Sendbird  SendbirdConfig  `key:"sendbird" doc:"The chat platform, Sendbird."`
	Mailgun   MailgunConfig   `key:"mailgun" doc:"The e-mail provider, Mailgun."`
	People    PeopleConfig    `key:"people" doc:"Which address a chat user has."`
	Notify    NotifyConfig    `key:"notify" doc:"When a chat message becomes an e-mail."`
	Mail      MailConfig      `key:"mail" doc:"The e-mails that go out."`
	Receipts  ReceiptsConfig  `key:"receipts" doc:"What the chat is told about delivery and reading."`
	Inbound   InboundConfig   `key:"inbound" doc:"The e-mails that come in."`
	Blobs     BlobsConfig     `key:"blobs" doc:"Where raw mail and attachments are kept: in data_dir, or, with a bucket, in an object store that speaks S3. Then data_dir only holds what is on its way, and replicas need not share it."`
	Retention RetentionConfig `key:"retention" doc:"How long things are kept once nothing about them is open. 0s keeps them for ever. What is open is never removed: events with jobs, given up ones included, held mail that waits, mails that the provider is not known to have, posts that are not made. A SQLite file does not shrink; what is freed is used again."`
	Reconcile ReconcileConfig `key:"reconcile" doc:"Looking for chat messages whose webhook never came."`
	DNS       DNSConfig       `key:"dns" doc:"Where the records of the sending domain are kept. Only setup and doctor look here."`
	Log       LogConfig       `key:"log" doc:"The log, on standard error."`
	TLS       TLSConfig       `key:"tls" doc:"HTTPS, where no proxy in front of us does it."`
	Server    ServerConfig    `key:"server" doc:"How much is done at once."`

	// Warnings are remarks for the log, such as a misspelt environment variable.
	Warnings []string
}

// SendbirdConfig is what it takes to talk to Sendbird.
type SendbirdConfig struct {
	AppID            string   `key:"app_id" need:"serve,setup/sendbird" unless:"sendbird.api_url" doc:"Application ID, from the dashboard's overview."`
	APIURL           string   `key:"api_url" form:"url" says:"https://api-{app_id}.sendbird.com/v3" doc:"Base address of the Platform API, version included."`
	APIToken         Secret   `key:"api_token" need:"serve,setup/sendbird" doc:"API token for calls; a secondary token will do."`
	MasterToken      Secret   `key:"master_token" says:"that of sendbird.api_token" doc:"Master API token. Sendbird signs webhooks with this one, never with a secondary token."`
	FileHosts        []string `key:"file_hosts" default:".sendbird.com" doc:"Hosts from which files of chat messages are fetched; with a leading dot all hosts below it. Private addresses are always refused."`
	GetRate          float64  `key:"get_rate" default:"0" doc:"Most GET calls a second, of all replicas together; 0: no limit. Sendbird counts by method, as the plan allows."`
	PostRate         float64  `key:"post_rate" default:"0" doc:"Most POST calls a second, as get_rate."`
	PutRate          float64  `key:"put_rate" default:"0" doc:"Most PUT calls a second, as get_rate."`
	MaxMessageLength int      `key:"max_message_length" default:"5000" min:"1" doc:"Longest text of a chat message in characters; longer replies are split, and what would become more than 20 messages is posted as its beginning and a file of all of it. Applies where the channel does not tell its own."`
}

// MailgunConfig is what it takes to talk to Mailgun.
type MailgunConfig struct {
	Domain      string        `key:"domain" form:"domain" need:"serve,setup/mailgun" doc:"Sending domain. Reply addresses are below it too, so it needs MX records and a route to us."`
	Region      string        `key:"region" default:"us" enum:"us,eu" doc:"Where the domain lives at Mailgun."`
	APIURL      string        `key:"api_url" form:"url" says:"by region: https://api.mailgun.net or https://api.eu.mailgun.net" doc:"Base address of the API, without a version."`
	SendingKey  Secret        `key:"sending_key" need:"serve" doc:"Domain sending key (or account key) for sending."`
	AccountKey  Secret        `key:"account_key" need:"setup/mailgun" doc:"Account API key, for set-up, for asking whether an uncertain send arrived, and for lifting suppressions."`
	SigningKeys []Secret      `key:"signing_keys" need:"serve" doc:"HTTP webhook signing keys; the old and the new one during a rotation."`
	SendRate    float64       `key:"send_rate" default:"0" doc:"Most sends a second, of all replicas together; 0: no limit. An answer of Mailgun's that it is too much stops all of them, with and without a limit."`
	UnsureAfter time.Duration `key:"unsure_after" default:"35m" doc:"How long an uncertain send must stay unfound at Mailgun before it is repeated."`
}

// DNSConfig says where the zone of the sending domain is kept.
type DNSConfig struct {
	Host       string           `key:"host" default:"manual" enum:"manual,godaddy,cloudflare,route53,rfc2136" doc:"Who keeps the zone. With manual, setup shows the records to enter."`
	Zone       string           `key:"zone" form:"domain" says:"looked up" doc:"Name of the zone that the records are in, such as example.com."`
	Resolver   string           `key:"resolver" form:"hostport" says:"that of the system" doc:"Name server that answers questions about the whole world, with its port."`
	Servers    []string         `key:"servers" form:"hostport" doc:"Name servers of the zone, with their ports, asked instead of those that the world is told: the inner half of a split zone, or one that is not delegated yet."`
	Reports    string           `key:"reports" form:"address" doc:"Address that receivers send DMARC reports to, written into the policy if setup has to make one."`
	GoDaddy    GoDaddyConfig    `key:"godaddy" doc:"GoDaddy, with dns.host godaddy: a personal access token, or a classic key and its secret."`
	Cloudflare CloudflareConfig `key:"cloudflare" doc:"Cloudflare, with dns.host cloudflare."`
	Route53    Route53Config    `key:"route53" doc:"Amazon Route 53, with dns.host route53."`
	RFC2136    RFC2136Config    `key:"rfc2136" doc:"A name server that takes dynamic updates, with dns.host rfc2136."`
}

// GoDaddyConfig opens a zone at GoDaddy.
type GoDaddyConfig struct {
	Token  Secret `key:"token" doc:"Personal access token with the scopes domains.domain:read and domains.dns:update."`
	Key    Secret `key:"key" doc:"Classic API key. GoDaddy has announced their end."`
	Secret Secret `key:"secret" doc:"Secret of the classic API key."`
	APIURL string `key:"api_url" form:"url" says:"https://api.godaddy.com" doc:"Base address of the API, without a version."`
}

// CloudflareConfig opens a zone at Cloudflare.
type CloudflareConfig struct {
	Token  Secret `key:"token" doc:"API token with the permission to edit the zone's DNS."`
	APIURL string `key:"api_url" form:"url" says:"https://api.cloudflare.com/client/v4" doc:"Base address of the API, version included."`
}

// Route53Config opens a zone at Amazon Route 53.
type Route53Config struct {
	AccessKeyID     string `key:"access_key_id" doc:"Access key id, of a user who may list hosted zones and record sets and change record sets."`
	SecretAccessKey Secret `key:"secret_access_key" doc:"Secret access key."`
	SessionToken    Secret `key:"session_token" doc:"Session token, with temporary keys."`
	Region          string `key:"region" default:"us-east-1" doc:"Region that calls are signed for."`
	HostedZone      string `key:"hosted_zone" says:"looked up by name" doc:"Id of the hosted zone, where several have the name."`
	APIURL          string `key:"api_url" form:"url" says:"by region" doc:"Base address of the API."`
}

// RFC2136Config opens a zone on a name server that takes updates.
type RFC2136Config struct {
	Server    string `key:"server" form:"hostport" doc:"The primary name server of the zone, with its port."`
	KeyName   string `key:"key_name" doc:"Name of the TSIG key."`
	Key       Secret `key:"key" doc:"The TSIG key, in base64."`
	Algorithm string `key:"algorithm" default:"hmac-sha256" enum:"hmac-sha256,hmac-sha384,hmac-sha512,hmac-sha224,hmac-sha1" doc:"The TSIG key's algorithm."`
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

// BlobsConfig says where blobs are kept.
type BlobsConfig struct {
	Bucket    string `key:"bucket" doc:"Bucket to keep blobs in; it must be there. Empty: data_dir."`
	Prefix    string `key:"prefix" default:"postern/" doc:"Stands before the names of all objects."`
	Endpoint  string `key:"endpoint" default:"https://s3.amazonaws.com" form:"url" doc:"Address of the object store."`
	Region    string `key:"region" says:"asked for" doc:"Region of the bucket, such as eu-central-1."`
	AccessKey Secret `key:"access_key" doc:"Access key id. It needs to list the bucket, and to get, put and delete objects below the prefix."`
	SecretKey Secret `key:"secret_key" doc:"Secret access key."`
}

// RetentionConfig says how long things are kept.
type RetentionConfig struct {
	Events     time.Duration `key:"events" default:"30d" min:"72h" doc:"Webhooks and mails as they arrived, with what is known of edited messages and read marks. A webhook that comes again later than this is taken for a new one; Mailgun repeats for 8 hours, Sendbird for minutes."`
	RawMail    time.Duration `key:"raw_mail" default:"30d" min:"24h" doc:"The bytes of mails that came, attachments included. 0s, or longer than retention.events: as long as those."`
	Deliveries time.Duration `key:"deliveries" default:"90d" min:"30d" doc:"E-mails that went out, with text, address and attachments, and which message stood in which. A later answer still reaches the chat, but what it quotes is recognised by its form alone; a later open marks nothing as read."`
	Posts      time.Duration `key:"posts" default:"90d" min:"72h" doc:"Chat messages that we wrote."`
	Notes      time.Duration `key:"notes" default:"90d" min:"24h" doc:"What postern explain and the console tell of decisions, answers and receipts. What was decided of a message on its arrival goes with retention.events, and with it the way from a message to its mails; what was mailed goes with retention.deliveries."`
	Held       time.Duration `key:"held" default:"30d" min:"24h" doc:"Held mail that was released or discarded, and refused mail, counted from its arrival."`
	DeadJobs   time.Duration `key:"dead_jobs" default:"90d" min:"72h" doc:"Jobs that were given up and neither replayed nor discarded (postern replay)."`
}

// LogConfig shapes the log.
type LogConfig struct {
	Format string `key:"format" default:"text" enum:"text,json" doc:"Form of the lines."`
	Level  string `key:"level" default:"info" enum:"debug,info,warn,error" doc:"The least important lines to show. Below debug, nothing of a message or an address is logged."`
}

// TLSConfig says how HTTPS is spoken.
type TLSConfig struct {
	Mode       string   `key:"mode" default:"off" enum:"off,files,acme" doc:"off: plain HTTP, for loopback or behind a proxy that speaks HTTPS; files: certificate and key from files, read anew when they change; acme: obtained and renewed by ourselves."`
	CertFile   string   `key:"cert_file" doc:"With files: the certificate and its chain, PEM."`
	KeyFile    string   `key:"key_file" doc:"With files: the key, PEM."`
	Names      []string `key:"names" says:"the host of public_url" doc:"With acme: host names of the certificate."`
	Email      string   `key:"email" doc:"With acme: where the authority writes to if something is wrong."`
	CA         string   `key:"ca" form:"url" says:"Let's Encrypt" doc:"With acme: the authority's directory. To use it is to agree to its terms."`
	CARoots    string   `key:"ca_roots" doc:"With acme: PEM file of whom to trust as that authority, for one of your own."`
	Storage    string   `key:"storage" default:"postern-tls" doc:"With acme: folder for keys and certificates. Replicas must share it."`
	HTTPListen string   `key:"http_listen" default:":80" form:"listen" doc:"With acme: where challenges over plain HTTP are answered and everybody else is sent to https. The authority calls port 80 for these, or 443 for those that listen answers."`
}

// ServerConfig sizes the engine.
type ServerConfig struct {
	Workers             int      `key:"workers" default:"1000" min:"1" doc:"Most remote calls at once: sends, posts, receipts."`
	PrivateListen       string   `key:"private_listen" form:"listen" says:"none: all of it is on listen" doc:"Another address, plain HTTP, for /metrics, /console/ and /api/; then these are not on listen."`
	TrustedProxies      []string `key:"trusted_proxies" doc:"Addresses or ranges (10.0.0.0/8) of proxies whose X-Forwarded-For tells who calls. Everybody else's is ignored."`
	DatabaseConnections int      `key:"database_connections" default:"16" min:"4" doc:"Most connections to PostgreSQL. SQLite does not need it."`
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
	if u, err := url.Parse(c.PublicURL); len(c.TLS.Names) == 0 && err == nil && u.Hostname() != "" {
		c.TLS.Names = []string{u.Hostname()}
	}
	if c.Notify.DelayMax == 0 {
		c.Notify.DelayMax = 5 * c.Notify.Delay
	}
}
