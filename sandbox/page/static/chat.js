// The chat, as one of its people sees it.
import { $, h, keyed, options, clock, size, dialog, field } from './dom.js';
import { app, api, tried, lookAtChat } from './app.js';

const at = (user, rest = '') => `/chat/users/${encodeURIComponent(user)}${rest}`;
const here = (rest = '') => at(app.me, `/channels/${encodeURIComponent(app.channel)}${rest}`);
const channel = () => app.chat.channels.find((c) => c.channel_url === app.channel);
const mine = () => app.chat.channels.filter((c) => c.members.some((m) => m.user_id === app.me));
const member = (c, id) => c?.members.find((m) => m.user_id === id);
const others = (c) => (c ? c.members.filter((m) => m.user_id !== app.me && m.state === 'joined') : []);
const userOf = (id) => app.chat.users.find((u) => u.user_id === id);

export function mount() {
  $('#me').addEventListener('change', (e) => {
    app.me = e.target.value;
    if (!member(channel(), app.me)) app.channel = mine()[0]?.channel_url ?? '';
    editing = 0;
    render();
  });
  $('#new-channel').addEventListener('click', newChannel);
  $('#composer').addEventListener('submit', (e) => { e.preventDefault(); tried(write); });
  $('#text').addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    tried(write);
  });
  $('#text').addEventListener('input', grow);
  $('#chat-file').addEventListener('change', (e) => tried(async () => {
    const [file] = e.target.files;
    e.target.value = '';
    if (file) await sendFile(file);
  }));
  document.addEventListener('visibilitychange', render);
  if (matchMedia('(min-width: 720px)').matches) $('#text').focus();
}

function grow() {
  const t = $('#text');
  t.style.height = 'auto';
  t.style.height = Math.min(t.scrollHeight + 2, 160) + 'px';
}

// --- what is shown

export function render() {
  const c = channel();
  options($('#me'), app.chat.users.map((u) => [u.user_id, u.nickname || u.user_id]), app.me);
  renderPeople();
  renderChannels();
  renderMessages(c);
  const away = others(c).filter((m) => !userOf(m.user_id)?.is_online);
  $('#text').placeholder = c ? `Write to ${list(others(c).map((m) => m.nickname || m.user_id)) || 'nobody'}` : 'No channel';
  $('#composer').classList.toggle('off', !c);
  for (const el of $('#composer').elements) el.disabled = !c;
  renderEmpty(c, away);
  renderAway();
  markRead(c);
}

const list = (names) => (names.length > 2 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join(' and '));

function renderPeople() {
  keyed($('#people'), app.chat.users, (u) => u.user_id, (u) => [u.nickname, u.is_online], (u) => {
    const name = u.nickname || u.user_id;
    return h('li', {}, h('button', {
      type: 'button', class: 'person switch', role: 'switch', 'aria-checked': String(u.is_online), 'aria-label': `${name} is online`,
      title: u.is_online ? `${name} is online; click: goes away` : `${name} is away; click: comes online`,
      onclick: () => setOnline(u.user_id, !u.is_online),
    }, name,  h('small', {}, u.is_online ? 'online' : 'away')));
  });
}

async function setOnline(user, online) {
  await tried(() => api('PUT', at(user, '/presence'), { online }));
  lookAtChat();
}

function renderChannels() {
  const all = mine();
  $('#channels').hidden = all.length < 2;
  keyed($('#channels'), all, (c) => c.channel_url, (c) => [c.name, member(c, app.me)?.unread_message_count, c.channel_url === app.channel], (c) => {
    const n = member(c, app.me)?.unread_message_count ?? 0;
    return h('button', {
      type: 'button', 'aria-pressed': String(c.channel_url === app.channel),
      onclick: () => { app.channel = c.channel_url; render(); },
    }, c.name || 'no name', n > 0 && h('span', { class: 'count' }, String(n), h('span', { class: 'sr' }, ' unread')));
  });
}

export function unread() {
  return mine().reduce((n, c) => n + (member(c, app.me)?.unread_message_count ?? 0), 0);
}

function renderEmpty(c, away) {
  const el = $('#chat-empty');
  el.hidden = !c || c.messages.length > 0;
  if (el.hidden) return;
  const to = list((away.length ? away : others(c)).map((m) => m.nickname || m.user_id));
  el.replaceChildren(h('p', { class: 'big' }, `Write to ${to}`),
    h('p', {}, away.length
      ? `${to} is away. What you write here goes out as an e-mail, and the answer comes back here.`
      : `${to} is online, so no e-mail is needed. Click the switch above to send ${to} away.`));
}

function renderAway() {
  const u = userOf(app.me);
  const el = $('#away');
  el.hidden = !u || u.is_online;
  if (el.hidden) { el.sig = ''; return; }
  if (el.sig === app.me) return;
  el.sig = app.me;
  const name = u.nickname || u.user_id;
  el.replaceChildren(`${name} is away: nothing here is marked as read. `,
    h('button', { type: 'button', class: 'link', onclick: () => setOnline(app.me, true) }, `Bring ${name} online`));
}

// --- messages

let editing = 0;

function renderMessages(c) {
  const box = $('#messages-scroll');
  const low = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const messages = c?.messages ?? [];
  const last = $('#messages').lastElementChild;
  keyed($('#messages'), messages, (m) => m.message_id,
    (m) => [app.me, m.message, m.updated_at, m.is_removed, m.delivered_to, m.read_by, m.file, editing === m.message_id, others(c).length],
    (m) => (m.is_removed ? h('li', { class: 'gone' }, 'deleted') : message(c, m)));
  if (low || last !== $('#messages').lastElementChild) box.scrollTop = box.scrollHeight;
}

function message(c, m) {
  if (m.type === 'ADMM') return h('li', { class: 'note' }, h('p', {}, m.message));
  const own = m.user?.user_id === app.me;
  if (editing === m.message_id) return editor(m);
  return h('li', { class: own ? 'message own' : 'message', 'data-id': m.message_id },
    !own && h('span', { class: 'author' }, m.user?.nickname || m.user?.user_id || 'somebody'),
    h('div', { class: 'bubble' }, content(m)),
    h('div', { class: 'under' },
      own && m.sdk !== 'API' && h('span', { class: 'tools' },
        m.type === 'MESG' && h('button', { type: 'button', class: 'link', onclick: () => { editing = m.message_id; render(); $('#edit')?.focus(); } }, 'Edit'),
        h('button', { type: 'button', class: 'link', onclick: () => remove(m) }, 'Delete')),
      m.sdk === 'API' && h('span', { class: 'via', title: 'Posted by the gateway' }, 'by e-mail'),
      m.updated_at > 0 && h('span', {}, 'edited'),
      h('time', {}, clock(m.created_at)),
      own && marks(c, m)));
}

function content(m) {
  if (m.type !== 'FILE') return h('p', {}, m.message);
  const name = (m.file?.url ?? '').split('/').pop();
  const href = `api/files/${encodeURIComponent(name)}`;
  if (/^image\/(png|jpeg|gif|webp)$/.test(m.file?.type)) {
    return h('a', { href, target: '_blank', rel: 'noopener' }, h('img', { src: href, alt: m.file.name, class: 'picture' }));
  }
  return h('a', { href, download: m.file?.name, class: 'chip' }, m.file?.name || 'file', h('small', {}, size(m.file?.size ?? 0)));
}

// marks tells what became of an own message, as apps do: by the marks of all others.
function marks(c, m) {
  const all = others(c);
  const read = m.read_by ?? [];
  const delivered = m.delivered_to ?? [];
  const name = (ids) => list(ids.map((id) => app.person(id).name));
  let [state, text, title] = ['sent', 'sent', 'Sent; nobody has it yet'];
  if (read.length && read.length >= all.length) [state, text, title] = ['read', 'read', `Read by ${name(read)}`];
  else if (read.length) [state, text, title] = ['read', `read by ${name(read)}`, `Delivered to ${name(delivered)}`];
  else if (delivered.length) [state, text, title] = ['delivered', delivered.length < all.length ? `delivered to ${name(delivered)}` : 'delivered', `Delivered to ${name(delivered)}`];
  const tick = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  tick.setAttribute('viewBox', '0 0 20 12');
  tick.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', state === 'sent' ? 'M5 6.5l3 3 6-7' : 'M1.5 6.5l3 3 6-7M8.5 8l1.5 1.5 6-7');
  tick.append(path);
  return h('span', { class: `mark ${state}`, title }, tick, text);
}

function editor(m) {
  const input = h('textarea', { id: 'edit', rows: '2', 'aria-label': 'Changed message' });
  input.value = m.message;
  const stop = () => { editing = 0; render(); $('#text').focus(); };
  const save = () => tried(async () => {
    await api('PUT', here(`/messages/${m.message_id}`), { message: input.value });
    stop();
  });
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') stop();
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); save(); }
  });
  return h('li', { class: 'message own' }, input, h('div', { class: 'under' },
    h('button', { type: 'button', class: 'link', onclick: save }, 'Save'), h('button', { type: 'button', class: 'link', onclick: stop }, 'Cancel')));
}

function remove(m) {
  return tried(() => api('DELETE', here(`/messages/${m.message_id}`)));
}

// --- what a person does

async function write() {
  const text = $('#text').value.trim();
  if (!text || !channel()) return;
  $('#text').value = '';
  grow();
  try {
    await api('POST', here('/messages'), { message: text });
  } catch (err) {
    $('#text').value = text;
    throw err;
  }
  openWindow();
}

async function sendFile(file) {
  const form = new FormData();
  form.set('message_type', 'FILE');
  form.set('file', file, file.name);
  await api('POST', here('/messages'), form);
  openWindow();
}

// An app that is open in front of somebody marks what he sees as read.
let marked = '';
function markRead(c) {
  const m = member(c, app.me);
  const visible = !document.hidden && $('#chat').offsetParent !== null;
  const newest = `${app.me} ${c?.channel_url} ${c?.messages.at(-1)?.message_id}`;
  if (!m || !m.unread_message_count || !userOf(app.me)?.is_online || !visible || marked === newest) return;
  marked = newest;
  tried(() => api('PUT', here('/read')));
}

function newChannel() {
  const name = h('input', { type: 'text', value: '', maxlength: '100', required: true });
  const boxes = app.chat.users.filter((u) => u.user_id !== app.me).map((u) => {
    const box = h('input', { type: 'checkbox', value: u.user_id });
    return { box, el: h('label', { class: 'check' }, box, u.nickname || u.user_id) };
  });
  dialog('New channel', [
    field('Name', name),
    h('fieldset', {}, h('legend', {}, 'With'), boxes.map((b) => b.el)),
  ], 'Make it', async () => {
    const ids = boxes.filter((b) => b.box.checked).map((b) => b.box.value);
    if (!ids.length) throw new Error('Choose at least one person.');
    const made = await api('POST', at(app.me, '/channels'), { name: name.value, user_ids: ids });
    app.channel = made.channel_url;
    app.world.channel = made.channel_url;
    await lookAtChat();
  });
}

// --- the quiet window: what is written in it goes out as one mail

let closing;
function openWindow() {
  const c = channel();
  const away = others(c).filter((m) => !userOf(m.user_id)?.is_online).map((m) => m.nickname || m.user_id);
  if (!away.length) return;
  const ms = app.world.quiet_ms;
  if (!ms) return;
  const bar = h('i', { class: 'bar' });
  bar.style.animationDuration = `${ms}ms`;
  $('#window').replaceChildren(h('p', {}, `${list(away)} is away. What you write within ${ms / 1000} s joins the same mail.`), bar);
  clearTimeout(closing);
  closing = setTimeout(() => { $('#window').replaceChildren(h('p', {}, 'Off it goes…')); closing = setTimeout(closeWindow, 8000); }, ms);
}

function closeWindow() {
  clearTimeout(closing);
  $('#window').replaceChildren();
}

export function heard(lines) {
  if (!$('#window').firstChild) return;
  if (lines.some((l) => l.source === 'mailbox' && l.tone === 'good')) {
    clearTimeout(closing);
    $('#window').replaceChildren(h('p', { class: 'done' }, 'The mail has arrived.'));
    closing = setTimeout(closeWindow, 4000);
  }
}
