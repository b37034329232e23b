package relay

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/quick"
	"github.com/postern-chat/postern/store"
)

// The purposes of sealed words. What is signed for one never holds for another.
const (
	purposeAddress = "address" // reply address: a participant
	purposeLeave   = "leave"   // unsubscribe link: a participant
	purposeMark    = "mark"    // mark on our chat messages: a post
	purposeFile    = "file"    // link to a file of a chat message
)

// SortChat says what is to be done about a chat webhook. It does not block: it is
// asked before the webhook is answered.
func (r *Rules) SortChat(e postern.ChatEvent) store.Plan {
	m := e.Message
	switch e.Kind {
	case postern.MessageSent:
		return r.sortMessage(e)
	case postern.MessageEdited:
		return r.chatPlan(e, jobChange, "edited:"+strconv.FormatInt(m.UpdatedAt.UnixMilli(), 10)+":"+hash(m.Text))
	case postern.MessageDeleted:
		return r.chatPlan(e, jobChange, "deleted")
	case postern.MessagesRead:
		if len(e.Reads) == 0 {
			return store.Plan{Skip: "nothing read"}
		}
		var b strings.Builder
		for _, m := range e.Reads {
			fmt.Fprintf(&b, "%s@%d,", m.User, m.At.UnixMilli())
		}
		return r.chatPlan(e, jobChange, "read:"+hash(b.String()))
	}
	return store.Plan{Skip: "event not used"}
}

// dedup tells repeats of a chat event apart: what happened to which message.
func (r *Rules) dedup(e postern.ChatEvent, what string) string {
	return r.eventKey(e.Channel.ID, e.Message.ID, what)
}

func (r *Rules) eventKey(ch postern.ChannelID, m postern.MessageID, what string) string {
	return store.ChatKey{Message: m, Platform: r.PlatformName, Channel: ch, What: what}.String()
}

// chatPlan gives an event to its channel's own lane.
func (r *Rules) chatPlan(e postern.ChatEvent, kind, what string) store.Plan {
	return store.Plan{Dedup: r.dedup(e, what), Jobs: []store.LaneJob{{Lane: r.chatLane(e.Channel.ID), Kind: kind}}}
}

func (r *Rules) sortMessage(e postern.ChatEvent) store.Plan {
	skip := func(why string) store.Plan {
		r.heard.add(r.dedup(e, store.ChatSent))
		return store.Plan{Skip: why, Note: store.Note{What: "not mailed", Why: why, Channel: e.Channel.ID, Ref: string(e.Message.ID)}}
	}
	switch {
	case r.ownLine(e.Message):
		return skip("our own line")
	case e.Message.Silent:
		return skip("silent")
	case r.When == WhenNever:
		return skip("notify.when is never")
	case e.Channel.Large || !e.HasMembers:
		return r.chatPlan(e, jobFanout, store.ChatSent)
	}
	jobs, absent := r.audience(e.Channel.ID, e.Message, e.Members)
	if len(jobs) == 0 {
		p := skip("nobody to mail to")
		p.Note.Detail = absent
		return p
	}
	plan := store.Plan{Dedup: r.dedup(e, store.ChatSent), Jobs: jobs}
	if absent != "" {
		plan.Notes = []store.Note{{What: "not mailed", Why: "not to these members", Channel: e.Channel.ID, Ref: string(e.Message.ID), Detail: absent}}
	}
	return plan
}

// lineMark begins the mark of lines in which we speak for ourselves. They are never
// mailed. What we post for somebody who answered by mail comes back as any other message
// does: not to him, because he is its sender, but to the others who are away.
const lineMark = "line/"

func (r *Rules) mark(p store.Post) string {
	if p.User == "" && strings.HasPrefix(p.Batch, stopPrefix) {
		return r.Keys.Text(purposeMark, lineMark+string(p.ID))
	}
	return r.Keys.Text(purposeMark, string(p.ID))
}

func (r *Rules) ownLine(m postern.ChatMessage) bool {
	id, ours := r.Keys.OpenText(purposeMark, m.Mark)
	return ours && strings.HasPrefix(id, lineMark)
}

// audience makes a job in the mail lane of each member who is to get the message, and
// says of the others why not.
func (r *Rules) audience(ch postern.ChannelID, m postern.ChatMessage, members []postern.Member) (jobs []store.LaneJob, others string) {
	var b strings.Builder
	for _, member := range members {
		if member.ID == m.Sender.ID && m.Sender.ID != "" {
			continue
		}
		if why := r.unwanted(member); why != "" {
			if b.Len() == 0 {
				b.Grow(min(32*len(members), 1000))
			}
			if b.Len() < 1000 {
				for _, s := range [...]string{string(member.ID), ": ", why, "; "} {
					b.WriteString(s)
				}
			}
			continue
		}
		jobs = append(jobs, r.messageJob(ch, member.ID))
	}
	return jobs, strings.TrimSuffix(b.String(), "; ")
}

// unwanted says why a member gets no mail, as far as the platform's word on him goes;
// "" if he may get one.
func (r *Rules) unwanted(m postern.Member) string {
	switch {
	case !m.Joined:
		return "only invited"
	case !m.Active:
		return "deactivated"
	case m.BlockingSender:
		return "blocks the sender"
	case m.Online && r.When == WhenOffline:
		return "online"
	}
	return ""
}

func (r *Rules) messageJob(ch postern.ChannelID, user postern.UserID) store.LaneJob {
	return store.LaneJob{
		Lane: "mail/" + r.PlatformName + "/" + string(ch) + "/" + string(user), Kind: jobMessage,
		Args: whose(ch, user), Delay: r.Delay, Cap: r.DelayMax,
	}
}

// SortMailEvent says what is to be done about a provider's event on an e-mail.
func (r *Rules) SortMailEvent(e postern.MailEvent) store.Plan {
	switch e.Kind {
	case postern.MailAccepted, postern.MailDelivered, postern.MailOpened, postern.MailFailed, postern.MailComplained, postern.MailUnsubscribed:
	default:
		return store.Plan{Skip: "event not used"}
	}
	if e.Delivery == "" && e.MessageID == "" {
		return store.Plan{Skip: "not about a mail of ours"}
	}
	lane := "receipt/m/" + hash(e.MessageID)
	if e.Participant != 0 {
		lane = receiptLane(e.Participant)
	}
	return store.Plan{Jobs: []store.LaneJob{{Lane: lane, Kind: jobEvent}}}
}

// SortInbound says what is to be done about an e-mail that arrived. A recipient
// whose domain is not ours is Invalid: it can never be accepted.
func (r *Rules) SortInbound(in postern.Inbound) (store.Plan, error) {
	local, domain, ok := cutAddress(in.Recipient)
	if !ok || !strings.EqualFold(domain, r.Domain) {
		return store.Plan{}, postern.Errorf(postern.Invalid, "relay.inbound", "the recipient's domain is not ours")
	}
	lane := "stray/" + strconv.Itoa(int(hash32(in.Recipient)%16))
	if p, ok := r.participantOf(local); ok {
		lane = postLane(p)
	}
	return store.Plan{Jobs: []store.LaneJob{{Lane: lane, Kind: jobInbound}}}, nil
}

// participantOf reads the participant out of the local part of a reply address: the
// whole of it, or what stands behind its last plus sign.
func (r *Rules) participantOf(local string) (postern.ParticipantID, bool) {
	if i := strings.LastIndexByte(local, '+'); i >= 0 {
		local = local[i+1:]
	}
	id, ok := r.Keys.OpenID(purposeAddress, local)
	return postern.ParticipantID(id), ok
}

func (r *Rules) replyAddress(p postern.ParticipantID) string {
	return r.Keys.ID(purposeAddress, uint64(p)) + "@" + r.Domain
}

func postLane(p postern.ParticipantID) string {
	return "post/" + strconv.FormatUint(uint64(p), 36)
}

func receiptLane(p postern.ParticipantID) string {
	return "receipt/" + strconv.FormatUint(uint64(p), 36)
}

func cutAddress(a string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(a, '@')
	if i <= 0 || i == len(a)-1 {
		return "", "", false
	}
	return a[:i], a[i+1:], true
}

func hash32(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails, see hash.Hash
	return h.Sum32()
}

// whose is encode for what is written for every webhook.
func whose(ch postern.ChannelID, user postern.UserID) []byte {
	b := make([]byte, 0, 16+len(ch)+len(user))
	return append(quick.Field(quick.Field(append(b, '{'), "c", string(ch)), "u", string(user)), '}')
}

func encode(a args) []byte {
	b, _ := json.Marshal(a) // strings and a bool: never fails
	return b
}

func decode(j store.Job) (a args, err error) {
	if len(j.Args) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(j.Args, &a); err != nil {
		return a, postern.Errorf(postern.Permanent, "relay.job", "arguments of a job: %w", err)
	}
	return a, nil
}
