package sendbird

import "fmt"

// Switches are features an application may lack and points the documents leave open. The zero value is the likeliest
// application. They can be changed while it runs (PUT /_emulator/switches).
type Switches struct {
	// NoDeliveryReceipts: the application has not bought delivery receipts; marks do not move.
	NoDeliveryReceipts bool `json:"no_delivery_receipts"`
	// FileEncryption: file URLs want ?auth=KEY of a member, or the Api-Token header.
	FileEncryption bool `json:"file_encryption"`
	// MaxFileMB is the limit per file, default 25.
	MaxFileMB int `json:"max_file_mb"`
	// MaxMessageLength is the characters of a text in channels made from now on, 0 = no limit.
	MaxMessageLength int `json:"max_message_length"`
	// RateLimits is the plan: "" off, "free", "5k", "10k", "25k", "50k", "100k".
	RateLimits string `json:"rate_limits"`
	// UserMessagesPerSecond limits each sender that acts as a client (documented: 5); 0 = off. With
	// UserMessageLimitOnAPI it counts messages through the API too (undocumented).
	UserMessagesPerSecond int  `json:"user_messages_per_second"`
	UserMessageLimitOnAPI bool `json:"user_message_limit_on_api"`
	// Dedup is what a repeated dedup_id gives: "return-existing" (default), "error-400202", "ignore".
	Dedup string `json:"dedup"`
	// NotMemberCode, MutedCode, BannedCode and FrozenCode are what a send through the API answers: 0 gives 400108 for
	// a stranger; the muted, the banned and any sender in a frozen channel are let through unless a code is set (undocumented).
	NotMemberCode int `json:"not_member_code"`
	MutedCode     int `json:"muted_code"`
	BannedCode    int `json:"banned_code"`
	FrozenCode    int `json:"frozen_code"`
	// BlockedCode is what a sender gets in a channel of two when the other blocks him: 0 lets him through.
	BlockedCode int `json:"blocked_code"`
	// AdminSender is the sender of an ADMM webhook: "absent" (default), "null", "empty".
	AdminSender string `json:"admin_sender"`
	// MultiFileHook is the payload of a multiple-file webhook: "files" (default) or "no-url" (neither).
	MultiFileHook string `json:"multi_file_hook"`
	// NoRetryOnStatus: any HTTP answer ends the tries, not only a 2xx.
	NoRetryOnStatus bool `json:"no_retry_on_status"`
	// NoReadEcho: mark_as_read through the API fires no message_read webhook.
	NoReadEcho bool `json:"no_read_echo"`
	// NoReadOnSend: the sender's own mark, moved by his send, fires no message_read webhook.
	NoReadOnSend bool `json:"no_read_on_send"`
	// InviteByAcceptance: invited users wait as "invited" until they accept.
	InviteByAcceptance bool `json:"invite_by_acceptance"`
	// PushTriggerAsBool: push_trigger_option in webhooks is true, as one capture has it.
	PushTriggerAsBool bool `json:"push_trigger_as_bool"`
	// Unordered: webhooks of one channel do not wait for each other.
	Unordered bool `json:"unordered"`
	// SharedMilliseconds: several messages and marks may carry the same time.
	SharedMilliseconds bool `json:"shared_milliseconds"`
	// Profanity are words that ProfanityMode ("replace", "block") acts upon in texts sent; none = filter off.
	Profanity     []string `json:"profanity"`
	ProfanityMode string   `json:"profanity_mode"`
}

func (sw Switches) check() error {
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"rate_limits", sw.RateLimits, []string{"", "free", "5k", "10k", "25k", "50k", "100k"}},
		{"dedup", sw.Dedup, []string{"", "return-existing", "error-400202", "ignore"}},
		{"admin_sender", sw.AdminSender, []string{"", "absent", "null", "empty"}},
		{"multi_file_hook", sw.MultiFileHook, []string{"", "files", "no-url"}},
		{"profanity_mode", sw.ProfanityMode, []string{"", "replace", "block"}},
	} {
		if !contains(c.allowed, c.value) {
			return fmt.Errorf("sendbird: switch %s: %q is none of %q", c.name, c.value, c.allowed)
		}
	}
	return nil
}

func (sw Switches) maxFile() int64 {
	if sw.MaxFileMB > 0 {
		return int64(sw.MaxFileMB) << 20
	}
	return 25 << 20
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
