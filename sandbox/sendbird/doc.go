// Package sendbird emulates one application of the Sendbird Platform API v3 with its webhooks: for tests, and for
// playing without an account. It is built from the documents and from captures of the real service, shares no code
// with Postern's clients and imports nothing of Postern. The client protocol (websocket) is not emulated; an app's
// people act through the control plane.
//
//	s, err := sendbird.New(sendbird.Config{Webhook: sendbird.Webhook{URL: "http://127.0.0.1:8080/hooks/sendbird"}})
//	http.ListenAndServe("127.0.0.1:9001", s.Handler())
//
// The API stands at /v3/..., files at /files/<32 hex>.<ext> (under any host name), and the control plane at
// /_emulator/.... What the documents leave open is a switch (type Switches); what is left out: bots, polls, scheduled
// messages, translation, /storage/file, push tokens and per-channel push, announcements, exports, migration, open channels beyond messages and membership.
//
// # Rules worth knowing
//
// Errors have HTTP status 400, not-found (400201) and bad tokens (400401) too. Answers are compact ASCII JSON with \/.
// A channel's created_at is in seconds, a message's in milliseconds. Times never repeat unless SharedMilliseconds is on.
// Marks are one high-water time per member and kind. Unread counts leave out own, silent and removed messages and what
// came before the member. message_read fires only when the count falls to zero. Whoever is online has all messages
// delivered. Lists of group channels leave out channels without messages unless show_empty=true.
//
// A webhook is tried up to three times (5 s each) until a 2xx comes. First tries of one channel keep their order.
//
// # Control plane
//
// Everything is JSON. Errors look as the API's. Path values are percent-encoded.
//
//	GET    /_emulator/                        app_id, master_token, seed
//	GET    /_emulator/state                   all users, channels, members with marks and unread counts, messages with
//	                                          delivered_to and read_by; ?channel_url=, ?messages= newest per channel (200)
//	POST   /_emulator/reset                   back to the state after New; the book goes on
//	GET    /_emulator/switches                type Switches
//	PUT    /_emulator/switches                any part of it; holds until reset
//	GET    /_emulator/clock                   {"now": ms, "stopped": bool}
//	PUT    /_emulator/clock                   {"advance_ms": n, "stop": bool}; a stopped clock moves by advance_ms and by
//	                                          one millisecond per event
//	PUT    /_emulator/available               {"available": false}: every call gets 403100
//
// People, who act as their app would (sdk "JavaScript"; "sdk" in the body overrides it). Bodies are those of the API
// without user_id; message_type may be left out:
//
//	PUT    /_emulator/users/{id}/presence     {"online": bool}; nothing else changes is_online
//	PUT    /_emulator/users/{id}/push         {"push_enabled", "push_trigger_option", "do_not_disturb"}
//	POST   /_emulator/users/{id}/file_key     {"auth": key for ?auth=, "expires_at"}
//	POST   /_emulator/users/{id}/channels     {"user_ids": [others], "name", ...}
//	POST   /_emulator/users/{id}/channels/{url}/messages                   text, file (multipart), url or files
//	PUT    /_emulator/users/{id}/channels/{url}/messages/{message_id}      {"message", ...}
//	DELETE /_emulator/users/{id}/channels/{url}/messages/{message_id}
//	POST   /_emulator/users/{id}/channels/{url}/messages/{message_id}/reactions   {"reaction"}; DELETE ?reaction=
//	PUT    /_emulator/users/{id}/channels/{url}/read | delivered | join | accept | decline | leave
//	POST   /_emulator/users/{id}/channels/{url}/invite                     {"user_ids"}
//	PUT    /_emulator/users/{id}/channels/{url}/enter | exit               open channels
//	PUT    /_emulator/channels/{url}          {"max_length_message", "is_super"}: what the API cannot change
//
// Webhooks; their numbers are those of the book's field "webhook":
//
//	GET    /_emulator/webhooks                the newest 2000 with state (waiting, delivered, lost, dropped), body, tries
//	GET    /_emulator/webhooks/{n}
//	POST   /_emulator/webhooks/{n}/resend     {"copies": 1, "delay_ms": 0}: the same bytes again
//	POST   /_emulator/webhooks/wait           ?timeout_ms= (10000): {"done": true} once none is under way
//	POST   /_emulator/webhooks/emit           {"category", "channel_url", "body"}: an event that no action here causes
//
// Faults. By rule: POST /_emulator/faults/calls takes a Fault, POST /_emulator/faults/webhooks a HookFault; both
// answer {"id"}. GET /_emulator/faults lists, DELETE /_emulator/faults[/{id}] takes back. By name: a user id (its part
// before @) or a channel's name or URL of one of the forms below spoils reads of it, its messages and marks; making and
// inviting it works.
//
//	429, 500, 503 ...     answered with that status, nothing done
//	500-but-sent ...      done, then answered so
//	reset, hang           connection reset; no answer at all; both with -but-sent
//	slow, slow-250ms      done after Config.SlowBy, or the time given
//	...x2                 only the first two times, as in 429x2
//
// The book holds every call with its answer, every act of a client, and every webhook with its tries:
//
//	GET    /_emulator/book                    ?after= (0), ?limit= (500): {"entries": [Entry], "next": cursor}
//	GET    /_emulator/book/stream             ?after=: the same as server-sent events, ids are the cursor
package sendbird
