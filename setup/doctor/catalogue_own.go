package doctor

import "github.com/postern-chat/postern"

func configSubjects() []Subject {
	return []Subject{
		{"CONFIG", "configuration", "`docs/configuration.md` lists every key; `postern serve` refuses what is missing and names it.", []Problem{
			{"CONFIG-READ", postern.Failure, "the configuration cannot be read", "A key that does not exist, a value of the wrong form, or a file that is not there.", "The gateway does not start.", "Correct the line that is named.", false},
			{"CONFIG-MISSING", postern.Failure, "a required setting is missing", "The gateway needs it to run.", "The gateway does not start.", "Set it in the file or as the environment variable that is named.", false},
			{"CONFIG-REMARK", postern.Warning, "something in the configuration is odd", "An environment variable that looks misspelt, or a file with secrets that others may read.", "A setting is not what you think it is, or a secret is not one.", "Do what the remark says.", false},
			{"CONFIG-REGION", postern.Failure, "region and address of Mailgun contradict each other", "The region says one continent and the API's address is the other's.", "Nothing is found at Mailgun: no mail goes out.", "Leave `mailgun.api_url` out and set `mailgun.region`.", false},
		}},
		{"CONFIG-KEYS", "keys and tokens", "`openssl rand -base64 32` makes a good key. Compare the values in the services' dashboards.", []Problem{
			{"CONFIG-SECRET-WEAK", postern.Failure, "the secret can be guessed", "It has the length of a key, but not the randomness.", "Somebody who guesses it can make reply addresses and write as your users.", "Make a new one with `openssl rand -base64 32`, put it first, and keep the old one behind a comma until old mails are no longer answered.", false},
			{"CONFIG-ADMIN-SHORT", postern.Warning, "the admin token is short", "It opens the console and the API, and is shorter than 16 characters.", "Whoever guesses it reads mail and changes addresses.", "Take a longer one: `openssl rand -hex 24`.", false},
			{"CONFIG-KEYS-SAME", postern.Failure, "two different keys have the same value", "The sending key, the account key and the signing key of Mailgun, and the tokens of Sendbird, are all different; one was put in the place of another.", "Whatever needed the right one is refused: no mail goes out, or none comes in.", "Look up each in its dashboard: Mailgun shows the signing key apart from the API keys.", false},
		}},
	}
}

func machineSubjects() []Subject {
	return []Subject{
		{"CLOCK", "clock", "`date -u`; `curl -sI https://api.mailgun.net | grep -i ^date`.", []Problem{
			{"CLOCK-OFF", postern.Warning, "the clock is off", "It differs by more than 30 seconds from that of every service that answered.", "Receipts and quiet windows are judged wrongly.", "Turn on time synchronisation: `timedatectl set-ntp true`, or chrony.", false},
			{"CLOCK-WRONG", postern.Failure, "the clock is wrong", "It differs by more than five minutes from that of every service that answered.", "Signatures seem too old, or from the future, and webhooks are refused; certificates seem not valid.", "Turn on time synchronisation: `timedatectl set-ntp true`, or chrony.", false},
		}},
		{"DB", "database", "`postern serve` opens it at its start and says what is wrong. For PostgreSQL: `psql \"$POSTERN_DATABASE\" -c 'select 1'`.", []Problem{
			{"DB-OPEN", postern.Failure, "the database cannot be used", "It cannot be reached, refuses us, or the file is not one of ours.", "The gateway does not start, or answers 503 and the services repeat until they give up.", "Read the reason; check `database`, the network, the password and the rights.", false},
			{"DB-OLD", postern.Warning, "the tables are older than this program", "The next start brings them up to date.", "None. A program of the old version beside the new one may be surprised.", "Start this version of the gateway.", false},
			{"DB-NEW", postern.Warning, "the tables are newer than this program", "A later version has been at work on this database.", "This version does not know what the later one wrote.", "Run the later version everywhere.", false},
			{"DB-SLOW", postern.Warning, "the database is slow", "A commit takes longer than 100 ms.", "Webhooks are answered late; Sendbird waits five seconds, three times, and then the message is lost to mail.", "Look at the disk and the load of the database; see DISK.", false},
			{"DB-STUCK", postern.Failure, "the gateway is running and not ready", "It holds the database and answers that it cannot take work.", "Nothing is mailed or posted.", "Read the gateway's log; restart it.", false},
		}},
		{"DISK", "disk", "`df -h FOLDER`, `touch FOLDER/x`.", []Problem{
			{"DISK-WRITE", postern.Failure, "a folder cannot be written to", "Raw mail, attachments and the database have to be kept there.", "Mail that comes in is answered 503 and, after eight hours, lost.", "Give the folder to the user that runs the gateway.", false},
			{"DISK-FULL", postern.Failure, "the disk is full", "Less than 100 MB are free.", "Nothing can be recorded: everything that arrives is refused.", "Make room, or move `data_dir`.", false},
			{"DISK-LOW", postern.Warning, "the disk is nearly full", "Less than 1 GB is free.", "None yet; a few large mails fill it.", "Make room, or move `data_dir`.", false},
			{"DISK-SLOW", postern.Warning, "the disk is slow to keep things safely", "One fsync takes longer than 100 ms.", "Every webhook waits for one: bursts are answered late.", "Move the database and `data_dir` to a local disk; network folders are slow here.", false},
		}},
	}
}

func publicSubjects() []Subject {
	return []Subject{
		{"URL", "public address", "`dig +short A HOST`, from a machine elsewhere.", []Problem{
			{"URL-HTTP", postern.Failure, "the public address is not https", "Webhooks and unsubscribe links would go over the net in clear text.", "Anybody on the way reads the messages; signatures can be replayed.", "Put a proxy with a certificate before the gateway, or let it hold its own, and set `public_url` to https.", false},
			{"URL-PORT", postern.Warning, "the public address has a port", "Firewalls of companies and some services call port 443 only.", "Unsubscribe links do not open for some people; other services cannot be added later.", "Let port 443 lead to the gateway.", false},
			{"URL-HOST", postern.Failure, "the public name leads nowhere", "The DNS has no address for it.", "No webhook arrives: nothing is mailed, no answer comes in.", "Make an A or AAAA record for it.", false},
			{"URL-INSIDE", postern.Failure, "the public address is not one of the world's", "The name leads to a private or local address.", "No webhook arrives, though everything works from where you are.", "Let the name lead to the public address of your router or proxy; for trying, use a tunnel (cloudflared, ngrok).", false},
		}},
		{"URL-TLS", "certificate", "`openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates -subject -ext subjectAltName`.", []Problem{
			{"URL-TLS-NONE", postern.Failure, "there is no TLS at the public address", "The port is open and no certificate is shown.", "No webhook arrives.", "Let the proxy, or the gateway (tls.mode), serve TLS on that port.", false},
			{"URL-TLS-EXPIRED", postern.Failure, "the certificate is not valid today", "It has ended, or has not begun.", "No webhook arrives: the services refuse to connect.", "Renew it, and find out why that does not happen by itself.", false},
			{"URL-TLS-NAME", postern.Failure, "the certificate is for another name", "It does not name the host of `public_url`.", "No webhook arrives: the services refuse to connect.", "Get one for this name, or correct `public_url`.", false},
			{"URL-TLS-CHAIN", postern.Failure, "the certificate is not trusted", "It is self-signed, of a private authority, or comes without the certificate between it and the root.", "No webhook arrives. Browsers may not show it: they know certificates in between that servers do not.", "Serve the full chain (fullchain.pem, not cert.pem), made by a public authority.", false},
			{"URL-TLS-SOON", postern.Warning, "the certificate ends soon", "It should have been renewed by now.", "None yet; when it ends no webhook arrives.", "Look why the renewal did not happen.", false},
		}},
		{"URL-GATEWAY", "gateway, as seen from outside", "`curl -i PUBLIC_URL/healthz` says `ok`; `curl -i PUBLIC_URL/hooks/sendbird` says 405.", []Problem{
			{"URL-SILENT", postern.Failure, "nobody answers at the public address", "The connection is refused, or nothing comes back.", "No webhook arrives.", "Open the port in the firewall; let the router lead it to the gateway or its proxy. If only this machine cannot reach its own public address, ask from another one.", false},
			{"URL-DOWN", postern.Failure, "the gateway does not run behind the public address", "A proxy answers that nobody is behind it, or nobody listens.", "No webhook arrives; the services repeat for a while.", "Start the gateway; let the proxy lead to its `listen` address.", false},
			{"URL-OTHER", postern.Failure, "something else answers at the public address", "It is not this gateway: another site, a proxy's own page or login.", "No webhook arrives at the gateway.", "Let the proxy lead this name to the gateway, without asking for a password.", false},
			{"URL-SECRET", postern.Failure, "another gateway answers at the public address", "It is a Postern with another `secret`: another installation, or one that was started before the secret was changed.", "Reply addresses and unsubscribe links of one are not known to the other.", "Give all replicas the same `secret`, and restart them.", false},
			{"URL-REDIRECT", postern.Failure, "the public address redirects", "It sends callers elsewhere; no service follows with a POST.", "No webhook arrives.", "Set `public_url` to where the redirect leads, and run `postern setup`.", false},
			{"URL-PATHS", postern.Failure, "a proxy keeps webhooks back", "The gateway answers at the public address, but not on the paths of its webhooks.", "Messages, mail or events do not arrive.", "Forward everything below `/hooks/`, `/u/` and `/.well-known/postern/`, with the path unchanged.", false},
		}},
		{"URL-BODY", "bodies come through whole", "`head -c 30000000 /dev/zero | curl -i --data-binary @- PUBLIC_URL/hooks/mailgun/inbound/mime` says 401 or 406, not 413.", []Problem{
			{"URL-BODY-SMALL", postern.Failure, "a proxy refuses bodies of a megabyte", "It is at its default (nginx: 1 MB).", "Answers with a picture do not come in; Mailgun repeats them for eight hours and gives up.", "nginx: `client_max_body_size 40m;`.", false},
			{"URL-BODY-LARGE", postern.Warning, "a proxy refuses large bodies", "A mail may have 25 MB, and is posted a tenth longer.", "Answers with large files do not come in.", "Raise the limit to 40 MB.", false},
			{"URL-BODY-CHANGED", postern.Failure, "a proxy changes bodies", "What arrives is not what was sent: cut, or rewritten by a filter.", "Signatures do not hold and webhooks are refused.", "Take the filter away for `/hooks/`.", false},
		}},
	}
}

func tripSubjects() []Subject {
	return []Subject{
		{"ROUND-TRIP", "a mail to ourselves", "Write in the chat to somebody who is away, answer the mail, and read `postern explain` of both.", []Problem{
			{"ROUND-TRIP-SEND", postern.Failure, "the provider does not take the mail", "The call that sends was refused or failed.", "Nobody gets mail.", "Read the reason; see MAILGUN-SENDING and MAILGUN-DOMAIN.", false},
			{"ROUND-TRIP-INBOUND", postern.Failure, "the mail does not come back", "The provider took it, and it did not arrive at our inbound hook in time.", "Answers do not reach the chat.", "See DNS-MX, MAILGUN-ROUTE and URL; then wait longer with `--wait`.", false},
			{"ROUND-TRIP-EVENTS", postern.Warning, "no event tells of the mail", "The mail came back, and no webhook told that it was delivered.", "Delivery and reading do not show in the chat.", "See MAILGUN-HOOK; new webhooks take up to ten minutes at Mailgun.", false},
		}},
	}
}
