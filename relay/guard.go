package relay

import (
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

// ruling is what becomes of a mail, and why.
type ruling struct {
	do     deed
	why    string // for the operator
	detail string
}

type deed uint8

const (
	doPost   deed = iota // as the participant
	doGuest              // as a line of the application that names who wrote
	doHold               // an operator looks at it
	doRefuse             // it goes nowhere
	doNote               // a machine wrote it: it never becomes a chat message
)

// judge decides about a mail: is it the participant's own word? The token in the
// address alone never suffices: whoever is forwarded a mail has it.
func (r *Rules) judge(in postern.Inbound, m *letter.Message, p store.Participant, person postern.Person) ruling {
	switch {
	case m.Auto != nil && m.Auto.Certain:
		return ruling{doNote, "automatic mail: " + string(m.Auto.Class), clip(m.Auto.Proof, 200)}
	case m.Bounce != nil:
		return ruling{doNote, "automatic mail: bounce", ""}
	case r.fromUs(m):
		return ruling{doNote, "our own mail coming back", ""}
	case p.ID == 0:
		return ruling{r.strange(doHold), "no such reply address", ""}
	case p.Revoked:
		return ruling{r.strange(doHold), "the reply address was revoked", ""}
	case len(m.From) != 1:
		return ruling{doHold, "the mail names no single writer", ""}
	case person.Email == "":
		return ruling{doHold, "no address of the participant is known", ""}
	case !samePerson(person.Email, m.From[0].Address):
		return ruling{r.strange(doGuest), "from somebody else than the participant", ""}
	}
	if why := forged(in, m); why != "" {
		return ruling{doHold, "perhaps forged: " + why, ""}
	}
	if m.Auto != nil { // it only looks like a machine's: a person decides
		return ruling{doHold, "perhaps automatic mail: " + string(m.Auto.Class), clip(m.Auto.Proof, 200)}
	}
	if in.Sender == "" {
		return ruling{doHold, "no envelope sender, as machines write", ""}
	}
	return ruling{do: doPost}
}

// strange is what becomes of mail that is not the participant's. Guests are let in
// only where guest says that this is possible at all.
func (r *Rules) strange(guest deed) deed {
	switch {
	case r.Strangers == StrangersRefuse:
		return doRefuse
	case r.Strangers == StrangersGuest:
		return guest
	}
	return doHold
}

func (r *Rules) fromUs(m *letter.Message) bool {
	for _, f := range m.From {
		if _, domain, ok := cutAddress(f.Address); ok && strings.EqualFold(domain, r.Domain) {
			return true
		}
	}
	return false
}

// samePerson compares a known address with a mail's From. A known address with a tag
// ("bob+shop@...", RFC 5233) is answered from without it.
func samePerson(known, from string) bool {
	if strings.EqualFold(known, from) {
		return true
	}
	local, domain, ok := cutAddress(known)
	plus := strings.IndexByte(local, '+')
	return ok && plus > 0 && strings.EqualFold(local[:plus]+"@"+domain, from)
}

// forged says what proves that From is not who wrote; "" if nothing does. What the
// header says is believed only where it speaks against the mail: nobody forges that.
func forged(in postern.Inbound, m *letter.Message) string {
	spf, dkim := in.Verdicts.SPF, in.Verdicts.DKIM
	found := m.Authentication()
	if spf == "" {
		spf = found.ProviderSPF
	}
	if dkim == "" || found.ProviderDKIM == "fail" {
		dkim = found.ProviderDKIM
	}
	if strings.EqualFold(spf, "fail") && !strings.EqualFold(dkim, "pass") {
		return "SPF fails and no DKIM signature holds" // SPF alone fails for every forwarded mail
	}
	// The topmost Authentication-Results field is the only one that a server of ours may have added.
	if found.Result("dmarc") == "fail" {
		return "DMARC fails"
	}
	return ""
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
