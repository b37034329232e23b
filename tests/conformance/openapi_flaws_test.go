package conformance

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flaw is a complaint of the validator that is the file's fault. * stands for anything.
type flaw struct{ complaint, why string }

// flaws are the known ones. One that is no longer seen must go.
func flaws() []flaw {
	const (
		noNull    = "null is not declared: "
		noMaker   = noNull + "a channel made through the API was made by nobody"
		noLast    = noNull + "a channel without messages has no last one"
		noSender  = noNull + "an admin message has no sender"
		noSnooze  = noNull + "nothing is snoozed (what stands there then is not documented)"
		date      = "declared as an object without properties; the file's own examples have a date's text"
		statusNo  = "the operation lists too few statuses; the text is the same as elsewhere in the file"
		noText    = noNull + "recordings and the page on payloads have null where a server said nothing"
		templates = "declared as required, but there only if a template or a tag was used (the description says so)"
	)
	return []flaw{
		// What Postern asks.
		{"request GET /v3/{channel_type}/{channel_url}/messages parameter message_id: value is required but missing", "message_ts or message_id, as the docs say; the file wants both"},
		{"request POST /v3/{channel_type}/{channel_url}/messages /user_id required: property \"user_id\" is missing", "an admin message has no user; the file's own schema of it says so"},
		{"request POST /v3/{channel_type}/{channel_url}/messages header Content-Type has unexpected value \"multipart/form-data*", "files are uploaded by a form; the file knows JSON only"},
		{"request PUT /v3/group_channels/{channel_url}/messages/mark_as_delivered /application_id required: property \"application_id\" is missing", "the docs want user_id alone"},
		{"request PUT /v3/group_channels/{channel_url}/messages/mark_as_delivered /channel_url required: property \"channel_url\" is missing", "it stands in the path"},

		// What the emulated Sendbird answers.
		{"answer * /v3/group_channels*/created_by nullable: Value is not nullable", noMaker},
		{"answer * /v3/users/{user_id}/my_group_channels /channels/*/created_by nullable: Value is not nullable", noMaker},
		{"answer * /v3/group_channels*/last_message nullable: Value is not nullable", noLast},
		{"answer * /v3/group_channels*/last_message oneOf: value doesn't match any schema from \"oneOf\"", noLast},
		{"answer GET /v3/{channel_type}/{channel_url}/messages /messages/*/user nullable: Value is not nullable", noSender},
		{"answer POST /v3/{channel_type}/{channel_url}/messages /user nullable: Value is not nullable", noSender},
		{"answer * /v3/users/{user_id}/push_preference /snooze_*_ts nullable: Value is not nullable", noSnooze},
		{"answer DELETE /v3/{channel_type}/{channel_url}/messages/{message_id}/reactions /user_id type: value must be a number", "ids of users are texts"},
		{"answer * /v3/{channel_type}/{channel_url}/metacounter* type: value must be a string", "counters are integers"},

		// What the emulated Mailgun answers.
		{"answer GET /v3/{domain_name}/* /items/*/created_at type: value must be an object", date},
		{"answer GET /v3/{domain_name}/* /created_at type: value must be an object", date},
		{"answer GET /v3/{domain_name}/whitelists*/createdAt type: value must be an object", date},
		{"answer GET /v3/{domain_name}/events /items/*/delivery-status/* nullable: Value is not nullable", noText},
		{"answer POST /v1/analytics/logs /items/*/delivery-status/* nullable: Value is not nullable", noText},
		{"answer GET /v3/{domain_name}/events /items/*/message/attachments required: property \"attachments\" is missing", "accepted events have none (page on webhook payloads)"},
		{"answer POST /v3/{domain_name}/messages status 401: response header Content-Type has unexpected value: \"text/plain*", "recorded so: the bare word Forbidden"},
		{"answer DELETE /v4/domains/{domain}/webhooks / required: at '': missing property 'message'", "an unknown webhook's 404 has Description instead: the file's own example at PUT, against its schema"},
		{"answer GET /v1/keys status 401: status is not supported", statusNo},
		{"answer PUT /v3/domains/{name}/tracking/open status 400: status is not supported", statusNo},
		{"answer PUT /v4/domains/{name} status 400: status is not supported", statusNo},
		{"answer GET /v3/domains/{domain_name}/messages/{storage_key} / required: at '': missing properties 'X-Mailgun-Tag', 'X-Mailgun-Template-Name', 'X-Mailgun-Template-Variables'", templates},
		{"answer GET /v3/domains/{domain_name}/messages/{storage_key} / required: at '': missing properties 'Content-Transfer-Encoding', 'X-Mailgun-Tag', 'X-Mailgun-Template-Name', 'X-Mailgun-Template-Variables'", templates + "; a multipart mail has no encoding of its own"},
		{"answer GET /v3/domains/{domain_name}/messages/{storage_key} / required: at '': missing properties 'Content-Transfer-Encoding', 'Content-Type', 'From', 'Message-Id', 'Mime-Version', 'Subject', 'To', 'X-Mailgun-Tag', 'body-html', *", "the raw form of the answer has body-mime instead; the file describes the parsed form alone"},
	}
}

func (f flaw) fits(complaint string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(f.complaint), `\*`, ".*") + "$").MatchString(complaint)
}

// judge fails for what no known flaw explains and, if all suites ran, for flaws that did not show.
func judge(t *testing.T, seen map[string]int, all bool) {
	t.Helper()
	known := flaws()
	used := make([]bool, len(known))
	lines := []string{}
	for complaint := range seen {
		explained := false
		for i, f := range known {
			if f.fits(complaint) {
				used[i], explained = true, true
			}
		}
		if !explained {
			lines = append(lines, complaint)
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		t.Errorf("neither right by the file nor a known flaw of it: %s", l)
	}
	for i, f := range known {
		if all && !used[i] {
			t.Errorf("this flaw did not show, so it may go: %s", f.complaint)
		}
	}
}
