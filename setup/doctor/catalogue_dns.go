package doctor

import "github.com/postern-chat/postern"

func zoneSubjects() []Subject {
	return []Subject{
		{"DNS-DELEGATION", "zone and its servers", "`dig +trace NS DOMAIN`.", []Problem{
			{"DNS-DELEGATION-NONE", postern.Failure, "the domain is in no zone", "No server is responsible for it: it is not registered, or has expired.", "No mail goes out or comes in.", "Register the domain, or correct `mailgun.domain`.", false},
			{"DNS-DELEGATION-HOST", postern.Failure, "the zone is kept by another host than the one configured", "Records that are written at the configured host are seen by nobody.", "Setup seems to work and changes nothing.", "Set `dns.host` to who keeps the zone, or change the name servers at the registrar.", false},
			{"DNS-DELEGATION-NS", postern.Warning, "zone and registrar name different servers", "After a move one of the lists was not changed.", "Some resolvers ask servers that have old records.", "Make the NS records of the zone and the registrar's list the same.", false},
		}},
		{"DNS-SERVERS", "all servers say the same", "`for s in $(dig +short NS ZONE); do dig +norecurse @$s MX DOMAIN; done`.", []Problem{
			{"DNS-SERVERS-SILENT", postern.Warning, "a server of the zone does not answer", "It is down, or does not know the zone.", "A part of all look-ups is slow or fails.", "Repair it, or take it off the list at the registrar.", false},
			{"DNS-SERVERS-DIFFER", postern.Failure, "the servers of the zone contradict each other", "A change has not reached all of them.", "The same mail passes now and fails then.", "Wait a few minutes. If it stays: look at the transfer between them; two hosts may keep the zone.", false},
		}},
		{"DNS-DNSSEC", "DNSSEC", "`dig DOMAIN SOA` fails and `dig +cd DOMAIN SOA` does not.", []Problem{
			{"DNS-DNSSEC-BROKEN", postern.Failure, "the zone's signatures do not hold", "The parent says that the zone is signed (DS), and it is not, or with other keys: typical after a move to another host.", "For everybody whose resolver validates (Google, Cloudflare, most providers) the domain does not exist.", "Take the DS record away at the registrar, or sign the zone again.", false},
		}},
		{"DNS-CNAME", "no CNAME in the way", "`dig CNAME DOMAIN`.", []Problem{
			{"DNS-CNAME-BESIDE", postern.Failure, "the domain is a CNAME", "Beside a CNAME there can be no MX and no SPF (RFC 1034, 3.6.2).", "Mail goes where the CNAME leads, or nowhere.", "Take it away: a mail domain needs records of its own. A website wants another name.", false},
			{"DNS-CNAME-LOOP", postern.Failure, "CNAMEs lead in a circle", "A name leads back to itself.", "Look-ups fail.", "Take one of them away.", false},
		}},
		{"DNS-WILDCARD", "no wildcard in the way", "`dig TXT does-not-exist.DOMAIN`.", []Problem{
			{"DNS-WILDCARD-ANY", postern.Warning, "names that do not exist are answered", "A record for `*` stands above our names.", "Keys and policies seem to be there and are something else; resolvers remember that for a while.", "Take the wildcard away, or live with it: names that do exist are not touched by it.", false},
		}},
		{"DNS-CACHE", "resolvers have the present records", "`dig MX DOMAIN @1.1.1.1` against `dig +norecurse MX DOMAIN @SERVER`.", []Problem{
			{"DNS-CACHE-OLD", postern.Warning, "the resolver still has old records", "The zone's servers are right; what was there before is remembered until its time is up.", "Mail of the next minutes or hours goes by the old records.", "Wait for the seconds that are named.", false},
		}},
		{"DNS-CAA", "who may make certificates", "`dig CAA DOMAIN`, then each name above.", []Problem{
			{"DNS-CAA-DENIES", postern.Failure, "our certificate's authority is not allowed", "CAA records name others.", "No certificate is made; when the present one ends no webhook arrives.", "Add a CAA record for it.", false},
		}},
	}
}

func mailSubjects() []Subject {
	return []Subject{
		{"DNS-MX", "MX", "`dig MX DOMAIN`.", []Problem{
			{"DNS-MX-NONE", postern.Failure, "there is no MX record", "Nobody knows who takes mail for the domain.", "Answers bounce.", "Run `postern setup`.", true},
			{"DNS-MX-NULL", postern.Failure, "the domain says that it takes no mail", "A null MX (RFC 7505).", "Answers bounce at once; some receivers refuse our mail as well.", "Take it away, then run `postern setup`.", false},
			{"DNS-MX-OTHER", postern.Failure, "mail goes to somebody else", "The MX records are not the provider's.", "Answers land in a mailbox nobody looks into, or bounce.", "Give the gateway a subdomain of its own.", false},
			{"DNS-MX-MIXED", postern.Failure, "mail goes to the provider and to somebody else", "Other MX records stand beside the provider's.", "Some answers reach the chat and some do not.", "Give the gateway a subdomain of its own, or take the others away.", false},
			{"DNS-MX-PART", postern.Warning, "one of the provider's MX is missing", "It has two servers.", "None, until the one that is named is down.", "Run `postern setup`.", true},
			{"DNS-MX-CNAME", postern.Warning, "an MX names a CNAME", "It must be a name with addresses (RFC 2181, 10.3).", "Some mail servers refuse it.", "Name the host that the CNAME leads to.", false},
			{"DNS-MX-DEAD", postern.Failure, "an MX has no address", "The name does not exist.", "Answers are late or bounce.", "Correct it, or run `postern setup`.", false},
		}},
		{"DNS-SPF", "SPF", "`dig TXT DOMAIN | grep spf1`.", []Problem{
			{"DNS-SPF-NONE", postern.Failure, "there is no SPF record", "Nothing says that the provider may send for the domain.", "Mail lands in spam, or is refused.", "Run `postern setup`.", true},
			{"DNS-SPF-TWO", postern.Failure, "there are several SPF records", "Then none counts (RFC 7208, 4.5).", "Mail lands in spam, or is refused.", "Make one of them.", false},
			{"DNS-SPF-SYNTAX", postern.Failure, "the SPF record cannot be read", "A term is not one.", "Mail lands in spam, or is refused.", "Correct the term that is named.", false},
			{"DNS-SPF-LOOKUPS", postern.Failure, "SPF needs more than ten look-ups", "Receivers stop there (RFC 7208, 4.6.4); each include costs, and what it includes.", "Mail lands in spam, or is refused, by everybody who is included.", "Take includes away of services that are no longer used; give the gateway a subdomain of its own.", false},
			{"DNS-SPF-VOID", postern.Failure, "SPF asks for more than two names that are not there", "Receivers stop there (RFC 7208, 4.6.4).", "Mail lands in spam, or is refused.", "Take the terms away whose names do not exist any more.", false},
			{"DNS-SPF-LOOP", postern.Failure, "SPF leads back to itself", "An include leads in a circle.", "Mail lands in spam, or is refused.", "Take the include away.", false},
			{"DNS-SPF-INCLUDE", postern.Failure, "something that SPF includes is broken", "The domain that an include names has no record, several, or one that cannot be read.", "Mail lands in spam, or is refused.", "Take the include away, or tell whose it is.", false},
			{"DNS-SPF-PROVIDER", postern.Failure, "SPF does not let the provider send", "The record does not lead to the provider's.", "Mail lands in spam, or is refused.", "Run `postern setup`: it adds the provider to the record.", true},
			{"DNS-SPF-ALL", postern.Failure, "SPF lets everybody send", "It ends in `+all`.", "Spammers write in your name, and your mail is trusted less.", "End it in `~all` or `-all`.", false},
			{"DNS-SPF-OPEN", postern.Warning, "SPF does not say what becomes of others", "It ends in `?all`, or without `all`.", "Forged mail is not told from yours.", "End it in `~all`.", false},
			{"DNS-SPF-IGNORED", postern.Warning, "a part of SPF is never looked at", "Terms behind `all`, or `redirect` beside it.", "Who is named there may not send.", "Put `all` at the end.", false},
			{"DNS-SPF-PTR", postern.Warning, "SPF uses ptr", "It is slow and should not be used (RFC 7208, 5.5).", "Some receivers do not count it.", "Name the addresses instead.", false},
			{"DNS-SPF-LONG", postern.Warning, "the SPF record is too long", "It has more than 512 bytes.", "Some hosts refuse it, some answers are cut.", "Take away what is no longer used.", false},
			{"DNS-SPF-NEAR", postern.Warning, "SPF is near the limit of look-ups", "One more, perhaps in somebody else's record, and it is over.", "None yet.", "Take includes away of services that are no longer used.", false},
		}},
		{"DNS-DKIM", "DKIM", "`dig TXT SELECTOR._domainkey.DOMAIN`.", []Problem{
			{"DNS-DKIM-NONE", postern.Failure, "the key is not there", "The provider signs with a key that nobody can look up.", "Mail lands in spam; Gmail and Yahoo refuse it.", "Run `postern setup`.", true},
			{"DNS-DKIM-TWO", postern.Failure, "there are several keys at one name", "Which one counts is not defined.", "Signatures fail now and then.", "Leave the provider's only.", false},
			{"DNS-DKIM-SYNTAX", postern.Failure, "the key cannot be read", "The text is not a key record: often cut, or quoted twice.", "Mail lands in spam.", "Copy it again, in one piece.", false},
			{"DNS-DKIM-REVOKED", postern.Failure, "the key is revoked", "Its p= is empty.", "Signatures fail.", "Run `postern setup`, or make the provider's record.", false},
			{"DNS-DKIM-OTHER", postern.Failure, "another key is there", "Not the one that the provider signs with.", "Signatures fail: mail lands in spam.", "Run `postern setup`, or make the provider's record.", false},
			{"DNS-DKIM-DEAD", postern.Failure, "the key's CNAME leads nowhere", "There is no key at its end.", "Signatures fail.", "Ask the provider; switch automatic sender security off and on.", false},
			{"DNS-DKIM-SHORT", postern.Failure, "the key is too short", "It has less than 1024 bits; receivers do not count it (RFC 8301).", "As if mail were not signed.", "Make a key of 2048 bits at the provider.", false},
			{"DNS-DKIM-1024", postern.Warning, "the key is short", "It has 1024 bits, the least that receivers take.", "None today.", "Make a key of 2048 bits at the provider.", false},
			{"DNS-DKIM-TESTING", postern.Warning, "the key is marked as a test", "t=y: signatures need not be counted.", "Some receivers treat mail as not signed.", "Take t=y away.", false},
		}},
		{"DNS-DMARC", "DMARC", "`dig TXT _dmarc.DOMAIN`.", []Problem{
			{"DNS-DMARC-NONE", postern.Warning, "there is no policy", "Neither at the domain nor above it.", "Gmail and Yahoo want one from whoever sends much.", "Run `postern setup`.", true},
			{"DNS-DMARC-TWO", postern.Warning, "there are several policies", "Then none counts.", "As if there were none.", "Leave one.", false},
			{"DNS-DMARC-ALIGN", postern.Failure, "our mail does not satisfy the policy when it is forwarded", "The signature is by another domain than From, and the policy wants the same.", "Forwarded mail, and mail to lists, is refused or lands in spam.", "Let the provider sign for the domain itself, or take adkim=s away.", false},
			{"DNS-DMARC-TAGS", postern.Warning, "the policy has tags that no longer exist", "pct, rf and ri went away with RFC 9989.", "They have no effect: a policy that was to count for a part counts for all.", "Take them away; t=y takes the place of pct=0.", false},
			{"DNS-DMARC-SYNTAX", postern.Warning, "a part of the policy is not understood", "A tag has a value that is none.", "It counts as if it were not there; a wrong p counts as none.", "Correct the tag that is named.", false},
			{"DNS-DMARC-REPORTS", postern.Warning, "reports go where they are not welcome", "Reports to another organisation need its consent in the DNS (RFC 9990).", "You get no reports.", "Let them make the record that is named, or take reports yourself.", false},
		}},
		{"DNS-TRACK", "tracking name", "`dig CNAME email.DOMAIN`.", []Problem{
			{"DNS-TRACK-NONE", postern.Warning, "the tracking name is not there", "Pictures that tell of opening go through it.", "The chat does not show that mail was read.", "Run `postern setup`.", true},
			{"DNS-TRACK-OTHER", postern.Warning, "the tracking name leads elsewhere", "It is used for something else.", "The chat does not show that mail was read; links may lead to the wrong place.", "Choose another prefix at Mailgun (web_prefix), then run `postern setup`.", false},
			{"DNS-TRACK-CERT", postern.Warning, "the tracking name has no good certificate", "Links are made with https and the certificate is not valid.", "Pictures are not loaded: opens are not seen. Links warn.", "Have Mailgun make one again, or set web_scheme to http.", false},
			{"DNS-TRACK-CAA", postern.Warning, "Mailgun's authority may make no certificate for the tracking name", "CAA records name others.", "Tracking over https stops working.", "Add a CAA record for it.", false},
		}},
	}
}
