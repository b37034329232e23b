// Sendbird's MIT-licensed JavaScript SDK of the Platform API against the emulator: every operation whose endpoint is
// emulated.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { control, env, rejected, sendbird } from './clients.mjs';

const url = env('SENDBIRD_URL');
const { call, raw, missing } = sendbird();
const gc = 'group_channels';
const oc = 'open_channels';

beforeEach(() => control(url, 'POST', 'reset'));

const ids = (list) => list.map((x) => x.user_id);
const user = (id, nickname = id) => call('UserApi.createUser', { body: { user_id: id, nickname, profile_url: '' } });
const code = async (promise) => {
  const err = await rejected(promise);
  assert.equal(err.body?.error, true, `an error body in ${JSON.stringify(err.body)} ${err.error}`);
  return [err.status, err.body.code];
};

// room is a group channel with its people in it.
async function room(people = ['ana', 'bob'], more = {}) {
  for (const id of people) await user(id);
  const channel = await call('GroupChannelApi.gcCreateChannel', { body: { user_ids: people, name: 'Support', ...more } });
  return channel.channel_url;
}

const say = (channel, from, message, more = {}) => call('MessageApi.sendMessage', gc, channel, {
  body: { message_type: 'MESG', user_id: from, message, ...more },
});

test('users', async () => {
  const made = await call('UserApi.createUser', { body: { user_id: 'ana', nickname: 'Ana', profile_url: '', metadata: { team: 'blue' }, issue_access_token: true } });
  assert.deepEqual([made.user_id, made.nickname, made.is_online, made.last_seen_at, made.has_ever_logged_in, made.is_active],
    ['ana', 'Ana', false, -1, false, true]);
  assert.equal(made.access_token.length, 40);
  assert.deepEqual(await code(user('ana')), [400, 400202]);
  assert.deepEqual(await code(call('UserApi.createUser', { body: { user_id: 'x', profile_url: '' } })), [400, 400105]);
  await user('bob@example.org', 'Bob');
  const seen = await raw('UserApi.viewUserById', 'bob@example.org', { includeUnreadCount: true });
  assert.deepEqual([seen.nickname, seen.unread_message_count], ['Bob', 0]);
  const updated = await call('UserApi.updateUserById', 'ana', { body: { nickname: 'Anna', preferred_languages: ['en', 'de'] } });
  assert.deepEqual([updated.nickname, updated.preferred_languages], ['Anna', ['en', 'de']]);
  const first = await call('UserApi.listUsers', { limit: 1 });
  assert.equal(first.users.length, 1);
  const second = await call('UserApi.listUsers', { limit: 1, token: first.next });
  assert.deepEqual(ids([...first.users, ...second.users]).sort(), ['ana', 'bob@example.org']);
  assert.equal(second.next, '');
  assert.deepEqual(ids((await call('UserApi.listUsers', { userIds: 'ana' })).users), ['ana']);
  await call('UserApi.deleteUserById', 'bob@example.org');
  assert.deepEqual(await code(call('UserApi.viewUserById', 'bob@example.org', {})), [400, 400201]);
});

test('user metadata', async () => {
  await user('ana');
  assert.deepEqual(await raw('UserApi.createUserMetadata', 'ana', { body: { metadata: { a: '1', b: '2' } } }), { a: '1', b: '2' });
  assert.deepEqual(await raw('MetadataApi.viewUserMetadata', 'ana', {}), { a: '1', b: '2' });
  assert.deepEqual(await raw('MetadataApi.viewUserMetadataByKey', 'ana', 'a'), { a: '1' });
  assert.deepEqual(await raw('UserApi.updateUserMetadata', 'ana', { body: { metadata: { a: '3', c: '4' }, upsert: true } }), { a: '3', c: '4' });
  assert.deepEqual(await raw('UserApi.updateUserMetadataByKey', 'ana', 'b', { body: { value: '5' } }), { b: '5' });
  await call('UserApi.deleteUserMetadataByKey', 'ana', 'b');
  assert.deepEqual(await code(raw('MetadataApi.viewUserMetadataByKey', 'ana', 'b')), [400, 400201]);
  await call('UserApi.deleteUserMetadata', 'ana', {});
  assert.deepEqual(await code(raw('MetadataApi.viewUserMetadataByKey', 'ana', 'a')), [400, 400201]);
});

test('preferences', async () => {
  await user('ana');
  assert.equal((await call('UserApi.viewChannelInvitationPreference', 'ana')).auto_accept, true);
  assert.equal((await call('UserApi.updateChannelInvitationPreference', 'ana', { body: { auto_accept: false } })).auto_accept, false);
  assert.equal((await call('UserApi.viewChannelInvitationPreference', 'ana')).auto_accept, false);
  assert.equal((await call('ApplicationApi.viewDefaultChannelInvitationPreference')).auto_accept, true);
  assert.equal((await call('ApplicationApi.updateDefaultChannelInvitationPreference', { body: { auto_accept: false } })).auto_accept, false);
  assert.equal((await call('ApplicationApi.viewDefaultChannelInvitationPreference')).auto_accept, false);
  const push = await call('UserApi.updatePushPreferences', 'ana', { body: { push_trigger_option: 'mention_only', do_not_disturb: true, start_hour: 22, end_hour: 6, timezone: 'Europe/Paris' } });
  assert.deepEqual([push.push_trigger_option, push.do_not_disturb], ['mention_only', true]);
  const seen = await call('UserApi.viewPushPreferences', 'ana');
  assert.deepEqual([seen.push_trigger_option, seen.do_not_disturb, seen.start_hour, seen.end_hour, seen.timezone], ['mention_only', true, 22, 6, 'Europe/Paris']);
});

test('group channels', async () => {
  const channel = await room(['ana', 'bob'], { custom_type: 'desk', data: 'x', channel_url: 'support-1' });
  assert.equal(channel, 'support-1');
  const seen = await call('GroupChannelApi.gcViewChannelByUrl', channel, { showMember: true, showReadReceipt: true, showDeliveryReceipt: true });
  assert.deepEqual([seen.name, seen.custom_type, seen.data, seen.member_count, seen.joined_member_count, seen.is_super], ['Support', 'desk', 'x', 2, 2, false]);
  assert.deepEqual(ids(seen.members).sort(), ['ana', 'bob']);
  assert.equal(String(seen.created_at).length, 10, 'a channel counts in seconds');
  const updated = await call('GroupChannelApi.gcUpdateChannelByUrl', channel, { body: { name: 'Desk', data: 'y' } });
  assert.deepEqual([updated.name, updated.data, updated.custom_type], ['Desk', 'y', 'desk']);
  await call('GroupChannelApi.gcCreateChannel', { body: { user_ids: ['ana'], name: 'Other', is_distinct: true } });
  const again = await call('GroupChannelApi.gcCreateChannel', { body: { user_ids: ['ana'], is_distinct: true } });
  assert.equal(again.name, 'Other', 'a distinct channel is used again');
  const first = await call('GroupChannelApi.gcListChannels', { showEmpty: true, limit: 1 });
  const second = await call('GroupChannelApi.gcListChannels', { showEmpty: true, limit: 1, token: first.next });
  assert.deepEqual([...first.channels, ...second.channels].map((c) => c.name).sort(), ['Desk', 'Other']);
  assert.deepEqual((await call('GroupChannelApi.gcListChannels', { showEmpty: true, customTypes: 'desk' })).channels.map((c) => c.name), ['Desk']);
  assert.deepEqual(await code(call('GroupChannelApi.gcCreateChannel', { body: { user_ids: ['nobody'], strict: true } })), [400, 400111]);
  await call('GroupChannelApi.gcDeleteChannelByUrl', channel);
  assert.deepEqual(await code(call('GroupChannelApi.gcViewChannelByUrl', channel, {})), [400, 400201]);
});

test('members come and go', async () => {
  const channel = await room(['ana'], { is_public: true });
  for (const id of ['bob', 'carl', 'dora', 'eve']) await user(id);
  const joined = await call('GroupChannelApi.gcInviteAsMembers', channel, { body: { user_ids: ['bob'] } });
  assert.equal(joined.member_count, 2);
  const invited = await call('GroupChannelApi.gcInviteAsMembers', channel, { body: { user_ids: ['carl', 'dora'], invitation_status: { carl: 'invited_by_friend', dora: 'invited_by_non_friend' } } });
  assert.deepEqual([invited.member_count, invited.joined_member_count], [4, 2]);
  assert.deepEqual((await call('GroupChannelApi.gcAcceptInvitation', channel, { body: { user_id: 'carl' } })).joined_member_count, 3);
  await call('GroupChannelApi.gcDeclineInvitation', channel, { body: { user_id: 'dora' } });
  await call('GroupChannelApi.gcJoinChannel', channel, { body: { user_id: 'eve' } });
  const is = async (id) => {
    const { is_member: member, state } = await call('GroupChannelApi.gcCheckIfMemberById', channel, id);
    return [member, state];
  };
  assert.deepEqual([await is('carl'), await is('dora'), await is('eve')], [[true, 'joined'], [false, 'none'], [true, 'joined']]);
  const list = await raw('GroupChannelApi.gcListMembers', channel, { limit: 3, showReadReceipt: true, memberStateFilter: 'joined_only' });
  assert.deepEqual([ids(list.members), list.members[0].state, list.members[0].is_online], [['ana', 'bob', 'carl'], 'joined', false]);
  assert.deepEqual(ids((await raw('GroupChannelApi.gcListMembers', channel, { limit: 3, token: list.next })).members), ['eve']);
  await call('GroupChannelApi.gcLeaveChannel', channel, { body: { user_ids: ['eve'] } });
  assert.deepEqual(await is('eve'), [false, 'none']);
  await call('GroupChannelApi.gcHideOrArchiveChannel', channel, { body: { user_id: 'bob', allow_auto_unhide: false } });
  await say(channel, 'ana', 'hello');
  const shown = async () => (await raw('UserApi.listMyGroupChannels', 'bob', { hiddenMode: 'unhidden_only' })).channels.length;
  assert.equal(await shown(), 0);
  await call('GroupChannelApi.gcUnhideOrUnarchiveChannel', channel, 'bob', {});
  assert.equal(await shown(), 1);
  assert.equal((await call('UserApi.viewNumberOfChannelsByJoinStatus', 'bob', { state: 'joined' })).group_channel_count, 1);
  await call('UserApi.leaveMyGroupChannels', 'bob', { body: {} });
  assert.deepEqual(await is('bob'), [false, 'none']);
});

test('operators', async () => {
  const channel = await room();
  await call('GroupChannelApi.gcRegisterOperators', channel, { body: { operator_ids: ['ana', 'bob'] } });
  assert.deepEqual(ids((await call('GroupChannelApi.gcListOperators', channel, {})).operators).sort(), ['ana', 'bob']);
  await call('GroupChannelApi.gcCancelTheRegistrationOfOperators', channel, ['bob'], {});
  assert.deepEqual(ids((await call('GroupChannelApi.gcListOperators', channel, {})).operators), ['ana']);
});

test('messages', async () => {
  const channel = await room();
  const sent = await say(channel, 'ana', 'Grüße / 😀', { custom_type: 'c', data: 'd', dedup_id: 'one', sorted_metaarray: [{ key: 'k', value: ['v'] }] });
  assert.deepEqual([sent.type, sent.message, sent.user.user_id, sent.custom_type, sent.data, sent.channel_url, sent.is_removed],
    ['MESG', 'Grüße / 😀', 'ana', 'c', 'd', channel, false]);
  assert.ok(Number.isInteger(sent.message_id) && String(sent.created_at).length === 13);
  const same = await say(channel, 'ana', 'Grüße / 😀', { dedup_id: 'one' });
  assert.equal(same.message_id, sent.message_id);
  const file = await call('MessageApi.sendMessage', gc, channel, {
    body: { message_type: 'FILE', user_id: 'bob', url: 'https://files.example/a.pdf', file_name: 'a.pdf', file_size: 12, file_type: 'application/pdf' },
  });
  assert.deepEqual([file.type, file.file.name, file.file.url], ['FILE', 'a.pdf', 'https://files.example/a.pdf']);
  const admin = await call('MessageApi.sendMessage', gc, channel, { body: { message_type: 'ADMM', message: 'closed' } });
  assert.deepEqual([admin.type, admin.message], ['ADMM', 'closed']);
  const list = await call('MessageApi.listMessages', gc, channel, { messageTs: sent.created_at, prevLimit: 0, nextLimit: 10, include: true });
  assert.deepEqual(list.messages.map((m) => m.message_id), [sent.message_id, file.message_id, admin.message_id]);
  const seen = await call('MessageApi.viewMessageById', gc, channel, sent.message_id, { withSortedMetaArray: true });
  assert.deepEqual([seen.message, seen.sorted_metaarray], ['Grüße / 😀', [{ key: 'k', value: ['v'] }]]);
  const updated = await call('MessageApi.updateMessageById', gc, channel, sent.message_id, { body: { message_type: 'MESG', message: 'new' } });
  assert.deepEqual([updated.message, updated.updated_at > updated.created_at], ['new', true]);
  assert.equal((await call('MessageApi.viewTotalNumberOfMessagesInChannel', gc, channel)).total, 3);
  await call('MessageApi.deleteMessageById', gc, channel, sent.message_id);
  assert.deepEqual(await code(call('MessageApi.viewMessageById', gc, channel, sent.message_id, {})), [400, 400201]);
  assert.equal((await call('MessageApi.viewTotalNumberOfMessagesInChannel', gc, channel)).total, 2);
  await user('eve');
  assert.deepEqual(await code(say(channel, 'eve', 'not a member')), [400, 400108]);
});

test('reactions and sorted meta arrays', async () => {
  const channel = await room();
  const { message_id: id } = await say(channel, 'ana', 'hello');
  const added = await call('MessageApi.addReactionToAMessage', gc, channel, id, { body: { user_id: 'bob', reaction: 'smile' } });
  assert.deepEqual([added.user_id, added.reaction, added.operation, added.success], ['bob', 'smile', 'add', true]);
  const list = await raw('MessageApi.listReactionsOfMessage', gc, channel, id, { listUsers: true });
  assert.deepEqual(list, { smile: ['bob'] });
  const removed = await call('MessageApi.removeReactionFromAMessage', gc, channel, id, { userId: 'bob', reaction: 'smile' });
  assert.deepEqual([removed.operation, removed.success], ['delete', true]);
  const more = await raw('MessageApi.addExtraDataToMessage', gc, channel, id, { body: { sorted_metaarray: [{ key: 'k', value: ['a'] }] } });
  assert.deepEqual(more.sorted_metaarray, [{ key: 'k', value: ['a'] }]);
  const next = await raw('MessageApi.updateExtraDataInMessage', gc, channel, id, { body: { sorted_metaarray: [{ key: 'k', value: ['b'] }], mode: 'add' } });
  assert.deepEqual(next.sorted_metaarray, [{ key: 'k', value: ['a', 'b'] }]);
  await call('MessageApi.removeExtraDataFromMessage', gc, channel, id, { keys: ['k'] });
  assert.deepEqual((await call('MessageApi.viewMessageById', gc, channel, id, { withSortedMetaArray: true })).sorted_metaarray, []);
});

test('receipts and counts', async () => {
  const channel = await room();
  await say(channel, 'ana', 'one');
  const last = await say(channel, 'ana', 'two');
  const unread = async () => (await call('MessageApi.gcViewNumberOfEachMembersUnreadMessages', channel, { userIds: ['ana', 'bob'] })).unread;
  assert.deepEqual(await unread(), { ana: 0, bob: 2 });
  assert.equal((await call('UserApi.viewNumberOfUnreadMessages', 'bob', {})).unread_count, 2);
  assert.equal((await call('UserApi.viewNumberOfChannelsWithUnreadMessages', 'bob', {})).unread_count, 1);
  const delivered = await call('MessageApi.gcMarkAllMessagesAsDelivered', channel, { body: { user_id: 'bob' } });
  assert.ok(delivered.ts >= last.created_at);
  const marks = async () => {
    const c = await raw('GroupChannelApi.gcViewChannelByUrl', channel, { showDeliveryReceipt: true, showReadReceipt: true });
    return [c.delivery_receipt?.bob >= last.created_at, c.read_receipt?.bob >= last.created_at];
  };
  assert.deepEqual(await marks(), [true, false]);
  await call('MessageApi.gcMarkAllMessagesAsRead', channel, { body: { user_id: 'bob' } });
  assert.deepEqual(await marks(), [true, true]);
  assert.deepEqual(await unread(), { ana: 0, bob: 0 });
  await say(channel, 'ana', 'three');
  const mine = await raw('UserApi.listMyGroupChannels', 'bob', { unreadFilter: 'unread_message' });
  assert.deepEqual(mine.channels.map((c) => [c.channel_url, c.unread_message_count]), [[channel, 1]]);
  await call('UserApi.markAllMessagesAsRead', 'bob', { body: { channel_urls: [channel] } });
  assert.deepEqual(await unread(), { ana: 0, bob: 0 });
});

test('channel metadata and metacounters', async () => {
  const channel = await room();
  await raw('UserApi.createChannelMetadata', gc, channel, { body: { metadata: { a: '1', b: '2' } } });
  assert.deepEqual(await raw('MetadataApi.viewChannelMetadata', gc, channel, {}), { a: '1', b: '2' });
  assert.deepEqual(await raw('MetadataApi.viewChannelMetadataByKey', gc, channel, 'a'), { a: '1' });
  assert.deepEqual(await raw('UserApi.updateChannelMetadata', gc, channel, { body: { metadata: { a: '3' } } }), { a: '3' });
  assert.deepEqual(await raw('UserApi.updateChannelMetadataByKey', gc, channel, 'b', { body: { value: '4' } }), { b: '4' });
  await call('UserApi.deleteChannelMetadataByKey', gc, channel, 'a');
  assert.deepEqual(await raw('MetadataApi.viewChannelMetadata', gc, channel, {}), { b: '4' });
  await call('UserApi.deleteChannelMetadata', gc, channel, {});
  assert.deepEqual(await code(raw('MetadataApi.viewChannelMetadataByKey', gc, channel, 'b')), [400, 400201]);

  await raw('UserApi.createChannelMetacounter', gc, channel, { body: { metacounter: { n: 1, m: 5 } } });
  assert.deepEqual(await raw('MetadataApi.viewChannelMetacounter', gc, channel, {}), { n: 1, m: 5 });
  assert.deepEqual(await raw('UserApi.updateChannelMetacounter', gc, channel, { body: { metacounter: { n: 2 }, mode: 'increase' } }), { n: 3 });
  assert.deepEqual(await raw('UserApi.updateChannelMetacounterByKey', gc, channel, 'm', { body: { value: 2, mode: 'decrease' } }), { m: 3 });
  assert.deepEqual(await raw('MetadataApi.viewChannelMetacounterByKey', gc, channel, 'm'), { m: 3 });
  await call('UserApi.deleteChannelMetacounterByKey', gc, channel, 'm');
  assert.deepEqual(await raw('MetadataApi.viewChannelMetacounter', gc, channel, {}), { n: 3 });
  await call('UserApi.deleteChannelMetacounter', gc, channel);
  assert.deepEqual(await code(raw('MetadataApi.viewChannelMetacounterByKey', gc, channel, 'n')), [400, 400201]);
});

// moderate does the same with a group channel and an open one; the SDK has a name for each.
async function moderate(kind, channel) {
  const op = (name, ...args) => call(`ModerationApi.${kind}${name}`, channel, ...args);
  await op('MuteUser', { body: { user_id: 'bob', seconds: 60, description: 'loud' } });
  const mute = await op('ViewMuteById', 'bob');
  assert.equal(mute.is_muted, true);
  assert.ok(mute.remaining_duration > 0 && mute.remaining_duration <= 60_000);
  assert.deepEqual(ids((await op('ListMutedUsers', {})).muted_list), ['bob']);
  await op('UnmuteUserById', 'bob');
  assert.equal((await op('ViewMuteById', 'bob')).is_muted, false);
  const ban = await op('BanUser', { body: { user_id: 'bob', seconds: 60, description: 'rude' } });
  assert.deepEqual([ban.user.user_id, ban.description, ban.end_at - ban.start_at], ['bob', 'rude', 60_000]);
  assert.equal((await op('ViewBanById', 'bob')).description, 'rude');
  assert.equal((await op('UpdateBanById', 'bob', { body: { seconds: 120, description: 'very' } })).description, 'very');
  assert.deepEqual((await op('ListBannedUsers', {})).banned_list.map((x) => x.user.user_id), ['bob']);
  await op('UnbanUserById', 'bob');
  assert.deepEqual((await op('ListBannedUsers', {})).banned_list, []);
  assert.equal((await op('FreezeChannel', { body: { freeze: true } })).freeze, true);
}

test('moderation of a group channel', async () => moderate('gc', await room()));

test('open channels and their moderation', async () => {
  for (const id of ['ana', 'bob']) await user(id);
  const made = await call('OpenChannelApi.ocCreateChannel', { body: { name: 'Hall', channel_url: 'hall-1', operator_ids: ['ana'] } });
  assert.deepEqual([made.name, made.channel_url], ['Hall', 'hall-1']);
  assert.equal((await call('OpenChannelApi.ocViewChannelByUrl', 'hall-1')).name, 'Hall');
  assert.equal((await call('OpenChannelApi.ocUpdateChannelByUrl', 'hall-1', { body: { name: 'Hall 2' } })).name, 'Hall 2');
  assert.deepEqual((await call('OpenChannelApi.ocListChannels', {})).channels.map((c) => c.name), ['Hall 2']);
  await control(url, 'PUT', 'users/bob/channels/hall-1/enter', {});
  assert.deepEqual(ids((await call('OpenChannelApi.ocListParticipants', 'hall-1', {})).participants), ['bob']);
  await call('OpenChannelApi.ocRegisterOperators', 'hall-1', { body: { operator_ids: ['bob'] } });
  assert.deepEqual(ids((await call('OpenChannelApi.ocListOperators', 'hall-1', {})).operators).sort(), ['ana', 'bob']);
  await call('OpenChannelApi.ocCancelTheRegistrationOfOperators', 'hall-1', ['bob'], {});
  assert.deepEqual(ids((await call('OpenChannelApi.ocListOperators', 'hall-1', {})).operators), ['ana']);
  const sent = await call('MessageApi.sendMessage', oc, 'hall-1', { body: { message_type: 'MESG', user_id: 'ana', message: 'hello' } });
  assert.equal((await call('MessageApi.viewMessageById', oc, 'hall-1', sent.message_id, {})).message, 'hello');
  await moderate('oc', 'hall-1');
  await call('OpenChannelApi.ocDeleteChannelByUrl', 'hall-1');
  assert.deepEqual(await code(call('OpenChannelApi.ocViewChannelByUrl', 'hall-1')), [400, 400201]);
});

test('blocks and reports', async () => {
  const channel = await room();
  const { message_id: id } = await say(channel, 'bob', 'spam');
  const blocked = await raw('ModerationApi.blockUser', 'ana', { body: { target_id: 'bob' } });
  assert.equal(blocked.user_id, 'bob');
  assert.deepEqual(ids((await call('ModerationApi.listBlockedUsers', 'ana', {})).users), ['bob']);
  await call('ModerationApi.unblockUserById', 'ana', 'bob');
  assert.deepEqual((await call('ModerationApi.listBlockedUsers', 'ana', {})).users, []);
  const body = { report_category: 'spam', report_description: 'again', reporting_user_id: 'ana' };
  const reported = await call('ReportApi.reportUserById', 'bob', { body });
  assert.deepEqual([reported.report_type, reported.report_category, reported.offending_user.user_id], ['user', 'spam', 'bob']);
  assert.equal((await call('ReportApi.reportChannelByUrl', gc, channel, { body })).report_type, 'channel');
  const message = await call('ReportApi.reportMessageById', gc, channel, id, { body });
  assert.deepEqual([message.report_type, message.reported_message.message_id], ['message', id]);
  assert.equal((await call('ReportApi.listReports', {})).report_logs.length, 3);
});

test('application settings', async () => {
  const set = await call('WebhooksApi.chooseWhichEventsToSubscribeTo', {
    body: { enabled: true, url: 'http://127.0.0.1:9/hook', include_members: true, enabled_events: ['group_channel:message_send'] },
  });
  assert.deepEqual([set.webhook.enabled, set.webhook.include_members, set.webhook.enabled_events], [true, true, ['group_channel:message_send']]);
  const { webhook } = await call('WebhooksApi.retrieveListOfSubscribedEvents', { displayAllWebhookCategories: true });
  assert.equal(webhook.url, 'http://127.0.0.1:9/hook');
  assert.ok(webhook.all_webhook_categories.includes('group_channel:message_read'));

  const token = await call('ApplicationApi.generateSecondaryApiToken', { body: {} });
  assert.equal(token.token.length, 40);
  assert.deepEqual((await call('ApplicationApi.listSecondaryApiTokens')).api_tokens.map((t) => t.token), [token.token]);
  assert.equal((await call('ApplicationApi.viewSecondaryApiTokenByToken', token.token)).token, token.token);
  await call('ApplicationApi.revokeSecondaryApiTokenByToken', token.token);
  assert.deepEqual((await call('ApplicationApi.listSecondaryApiTokens')).api_tokens, []);

  await call('ApplicationApi.addIpToWhitelist', { body: { ip_whitelist_addresses: ['127.0.0.0/8', '192.0.2.1'] } });
  const addresses = (x) => x.ip_whitelist_addresses;
  assert.deepEqual(addresses(await call('ApplicationApi.retrieveIpWhitelist')), ['127.0.0.0/8', '192.0.2.1']);
  await call('ApplicationApi.deleteAllowedIpsFromWhitelist', ['192.0.2.1']);
  assert.deepEqual(addresses(await call('ApplicationApi.retrieveIpWhitelist')), ['127.0.0.0/8']);
});

test('nothing left out', () => {
  const { missing: out, left, supported } = missing();
  assert.deepEqual(out, [], `of ${supported} operations whose endpoint is emulated`);
  console.log(`${supported} operations of sendbird-platform-sdk ask for what is emulated`);
  console.log(`left out: ${left.join(' ')}`);
});
