// The mailboxes, as mail programs show them.
import { $, h, options, clock, size, dialog, field, attachments } from './dom.js';
import { app, api, tried, announce, toast } from './app.js';

const boxPath = (address = app.box) => `/mailboxes/${encodeURIComponent(address)}`;
const onePath = (id) => `${boxPath()}/messages/${id}`;

let mails = [];          // of the mailbox shown, oldest first
let rows = new Map();    // id -> row
let shownBox = '';
const looked = new Set(); // mails opened here, pictures or not

const programs = { gmail: 'Gmail', outlook: 'Outlook', apple: 'Apple Mail', thunderbird: 'Thunderbird', plain: 'plain text' };
const clients = {
  apple: 'Apple Mail’s privacy proxy', 'gmail-prefetch': 'Gmail, ahead of the reader', 'gmail-proxy': 'Gmail’s picture proxy, for a person', scanner: 'a security scanner',
};

export function mount() {
  $('#box').addEventListener('change', (e) => { app.box = e.target.value; refresh(); });
  $('#write-mail').addEventListener('click', () => writeDialog({ from: app.box }));
  $('#upload').addEventListener('click', uploadDialog);
  addEventListener('resize', measure);
}

export async function refresh() {
  if (!app.boxes.some((b) => b.address === app.box)) app.box = app.boxes[0]?.address ?? app.box;
  const { messages } = await api('GET', `${boxPath()}/messages`);
  mails = messages;
  render();
}

const isNew = (m) => !m.seen && !looked.has(m.id);
export const unseen = () => mails.filter(isNew).length;

function render() {
  options($('#box'), app.boxes.map((b) => [b.address, `${b.name || b.address}${b.address === app.box || !b.unseen ? '' : ` (${b.unseen})`}`]), app.box);
  if (shownBox !== app.box) {
    shownBox = app.box;
    rows = new Map();
    $('#mails').replaceChildren();
  }
  const ids = new Set(mails.map((m) => m.id));
  for (const [id, row] of rows) if (!ids.has(id)) { row.el.remove(); rows.delete(id); }
  for (const m of mails) {
    let row = rows.get(m.id);
    if (!row) {
      row = newRow(m);
      rows.set(m.id, row);
      $('#mails').prepend(row.el);
    }
    row.update(m);
  }
  renderEmpty();
}

function renderEmpty() {
  const el = $('#mail-empty');
  el.hidden = mails.length > 0;
  const name = app.nameOf(app.box);
  el.replaceChildren(h('p', { class: 'big' }, 'No mail yet'), h('p', {}, `This is ${name}’s mailbox. Mail comes while ${name} is away from the chat.`));
}

export function heard(lines) {
  for (const l of lines) if (l.source === 'mailbox' && l.tone === 'good') announce(l.text);
}

// --- one mail

const nameOf = (from) => from.replace(/\s*<[^>]*>\s*$/, '').replaceAll('"', '') || from;

function newRow(first) {
  const who = h('span', { class: 'from' });
  const subject = h('span', { class: 'subject' });
  const tags = h('span', { class: 'tags' });
  const button = h('button', { type: 'button', class: 'mail-head', 'aria-expanded': 'false' }, who, h('time', {}, clock(first.received)), subject, tags);
  const el = h('li', { class: 'mail', 'data-id': first.id }, button);
  const row = { el, body: null, mail: first, update };
  function update(m) {
    row.mail = m;
    who.textContent = m.sent ? `To ${nameOf(m.to)}` : nameOf(m.from);
    subject.textContent = m.subject || '(no subject)';
    el.classList.toggle('new', isNew(m));
    el.classList.toggle('sent', m.sent);
    tags.replaceChildren(...[
      isNew(m) && h('span', { class: 'sr' }, 'new'), m.sent && h('b', {}, 'sent'), m.spam && h('b', { class: 'bad' }, 'spam'),
      m.files.length > 0 && h('b', {}, `${m.files.length} file${m.files.length > 1 ? 's' : ''}`),
    ].filter(Boolean));
    row.seen?.(m);
  }
  button.addEventListener('click', () => tried(async () => {
    if (row.body) {
      row.body.remove();
      row.body = row.seen = null;
      button.setAttribute('aria-expanded', 'false');
      return;
    }
    button.setAttribute('aria-expanded', 'true');
    looked.add(row.mail.id);
    row.body = h('div', { class: 'mail-body' });
    el.append(row.body);
    await open(row);
    update(row.mail);
  }));
  return row;
}

async function open(row) {
  const m = await api('GET', onePath(row.mail.id));
  const frame = h('iframe', {
    title: `Mail: ${m.subject}`, src: `api${onePath(m.id)}/html`, sandbox: 'allow-same-origin allow-popups allow-popups-to-escape-sandbox', class: 'frame',
  });
  frame.addEventListener('load', () => {
    for (const a of frame.contentDocument?.querySelectorAll('a[href]') ?? []) { a.target = '_blank'; a.rel = 'noopener noreferrer'; }
    if (frame.contentDocument?.body) frame.contentDocument.body.style.overflowWrap = 'anywhere';
    fit(frame);
  });
  const pictures = !m.sent && (m.pictures?.length ?? 0) > 0 && picturesBar(row, m);
  row.body?.append(...[
    h('dl', { class: 'addresses' }, h('dt', {}, 'From'), h('dd', { title: m.from }, m.from), h('dt', {}, 'To'), h('dd', { title: m.to }, m.to)),
    pictures, frame, m.files.length > 0 && files(m), !m.sent && reply(row, m), actions(row, m),
  ].filter(Boolean));
}

function fit(frame) {
  const doc = frame.contentDocument;
  if (!doc?.body || !frame.clientWidth) return;
  frame.style.height = '0';
  frame.style.height = `${Math.min(Math.max(doc.documentElement.scrollHeight, doc.body.scrollHeight), 1500) + 1}px`;
}

export function measure() {
  for (const f of document.querySelectorAll('iframe.frame')) fit(f);
}

// Mail programs hide pictures, because fetching them tells the sender.
function picturesBar(row, m) {
  const bar = h('div', { class: 'pictures' });
  const view = (client) => tried(async () => {
    const { fetched } = await api('POST', `${onePath(m.id)}/open`, { client });
    if (fetched.some((f) => f.error?.includes('outside'))) toast('Pictures from outside of the sandbox stay hidden.');
  });
  row.seen = (now) => {
    const shown = now.shown;
    if (bar.firstChild && bar.classList.contains('done') === shown) return;
    const focused = bar.contains(document.activeElement);
    const other = h('select', { 'aria-label': 'Let something else fetch the pictures' },
      h('option', { value: '' }, 'or as…'), Object.entries(clients).map(([v, text]) => h('option', { value: v }, text)));
    other.addEventListener('change', () => { view(other.value); other.value = ''; });
    if (shown) bar.replaceChildren(h('span', {}, 'Pictures shown: the sender can tell.'), other);
    else {
      bar.replaceChildren(h('span', {}, 'Pictures are hidden.'),
        h('button', { type: 'button', class: 'primary small show-pictures', onclick: () => view('human') }, 'Show pictures'), other);
    }
    if (focused) bar.querySelector('button, select').focus();
    bar.classList.toggle('done', shown);
  };
  row.seen(row.mail);
  return bar;
}

function files(m) {
  return h('ul', { class: 'files' }, m.files.map((f, i) => h('li', {},
    h('a', { href: `api${onePath(m.id)}/files/${i}`, download: f.filename || 'file', class: 'chip' }, f.filename || f.content_type, h('small', {}, size(f.size))))));
}

function programSelect() {
  return h('select', { 'aria-label': 'Mail program' }, app.world.programs.map((p) => h('option', { value: p }, programs[p] ?? p)));
}

function reply(row, m) {
  const text = h('textarea', { rows: '2', 'aria-label': `Answer to ${nameOf(m.from)}`, placeholder: `Answer ${nameOf(m.from)}` });
  const program = programSelect();
  const quote = h('input', { type: 'checkbox', checked: true });
  const chosen = h('input', { type: 'file', multiple: true });
  const count = h('span', {});
  chosen.addEventListener('change', () => { count.textContent = chosen.files.length ? ` ${chosen.files.length}` : ''; });
  const form = h('form', { class: 'reply' }, text, h('div', { class: 'row' },
    h('label', { class: 'inline' }, 'with ', program),
    h('label', { class: 'inline' }, quote, 'quote'),
    h('label', { class: 'quiet file-button' }, 'Attach', count, chosen),
    h('button', { type: 'submit', class: 'primary end' }, 'Reply')));
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    tried(async () => {
      if (!text.value.trim() && !chosen.files.length) { text.focus(); return; }
      const files = await attachments(chosen.files);
      await api('POST', `${onePath(m.id)}/reply`, { program: program.value, text: text.value, no_quote: !quote.checked, attachments: files });
      text.value = '';
      chosen.value = '';
      count.textContent = '';
      announce('The answer is sent');
    });
  });
  return form;
}

function actions(row, m) {
  const act = (name) => () => tried(async () => {
    const got = await api('POST', `${onePath(m.id)}/${name}`, {});
    if (got.error) toast(got.error);
  });
  const quiet = (text, f) => h('button', { type: 'button', class: 'link', onclick: f }, text);
  return h('div', { class: 'row actions' },
    !m.sent && quiet('Answer as a stranger', () => writeDialog({ from: 'mallory@elsewhere.example', to: address(m.from), subject: `Re: ${m.subject}` })),
    !m.sent && quiet('Unsubscribe', act('unsubscribe')),
    !m.sent && quiet('Spam', act('spam')),
    h('a', { href: `api${onePath(m.id)}/raw`, download: `${m.id}.eml`, class: 'link' }, 'Save .eml'));
}

const address = (s) => s.match(/<([^>]+)>/)?.[1] ?? s;

// --- writing

function knownAddresses() {
  const all = new Set(mails.filter((m) => !m.sent).map((m) => address(m.from)));
  return h('datalist', { id: 'known-addresses' }, [...all, ...app.boxes.map((b) => b.address)].map((a) => h('option', { value: a })));
}

function writeDialog({ from = '', to = '', subject = '' }) {
  const input = (value, more = {}) => h('input', { type: 'text', value, list: 'known-addresses', required: true, ...more });
  const [who, whom] = [input(from), input(to, { placeholder: 'an address; reply addresses stand in the mails' })];
  const about = h('input', { type: 'text', value: subject });
  const text = h('textarea', { rows: '5', required: true });
  const program = programSelect();
  const files = h('input', { type: 'file', multiple: true });
  dialog('Write a mail', [
    knownAddresses(), field('From', who), field('To', whom), field('Subject', about), field('Text', text),
    h('div', { class: 'row' }, field('With', program), field('Files', files)),
  ], 'Send', async () => {
    await api('POST', `${boxPath(who.value.trim().toLowerCase())}/send`, {
      to: whom.value.split(',').map((s) => s.trim()).filter(Boolean), subject: about.value, text: text.value, program: program.value,
      attachments: await attachments(files.files),
    });
  });
  (to ? text : whom).focus();
}

function uploadDialog() {
  const file = h('input', { type: 'file', accept: '.eml,message/rfc822', required: true });
  const from = h('input', { type: 'text', value: app.box, list: 'known-addresses', required: true });
  const to = h('input', { type: 'text', list: 'known-addresses', placeholder: 'left empty: those named in the mail' });
  dialog('Send a mail as it stands in a file', [
    knownAddresses(), field('File (.eml)', file), field('Sender (envelope)', from), field('Recipient (envelope)', to),
  ], 'Send', async () => {
    const query = to.value.trim() ? `?to=${encodeURIComponent(to.value.trim())}` : '';
    await api('POST', `${boxPath(from.value.trim())}/upload${query}`, file.files[0]);
  });
}
