// What happened: one readable line for every step, in the order of time.
import { $, h, clock } from './dom.js';
import { api, tried, app } from './app.js';

const kept = 1500; // lines on the page
let lines = [];    // by time: {line, el}
let missed = 0;    // while another tab was shown

export function mount() {
  $('#every').addEventListener('change', (e) => $('#lines').classList.toggle('main-only', !e.target.checked));
  $('#feed-scroll').addEventListener('scroll', () => { if (low()) $('#newest').hidden = true; });
  $('#newest').addEventListener('click', () => toNewest());
  renderEmpty();
}

function renderEmpty() {
  $('#feed-empty').hidden = lines.length > 0;
  $('#feed-empty').replaceChildren(h('p', { class: 'big' }, 'Nothing yet'),
    h('p', {}, 'Every webhook, decision, call and mail will stand here, one line each. Click one for its bytes.'));
}

const low = () => {
  const s = $('#feed-scroll');
  return s.scrollHeight - s.scrollTop - s.clientHeight < 40;
};

function toNewest() {
  const s = $('#feed-scroll');
  s.scrollTop = s.scrollHeight;
  $('#newest').hidden = true;
}

export function clear() {
  lines = [];
  $('#lines').replaceChildren();
  missed = 0;
  count();
  renderEmpty();
}

export function shown() {
  if (document.body.dataset.tab !== 'feed') return;
  missed = 0;
  count();
  toNewest();
}

function count() {
  const el = $('.tabs [data-tab=feed] .count');
  el.textContent = missed > 99 ? '99+' : missed;
  el.hidden = !missed;
}

export function add(news) {
  const follow = low();
  for (const line of news) {
    if (lines.some((l) => l.line.seq === line.seq)) continue;
    let i = lines.length;
    while (i > 0 && lines[i - 1].line.at > line.at) i--;
    const el = row(line);
    $('#lines').insertBefore(el, lines[i]?.el ?? null);
    lines.splice(i, 0, { line, el });
    el.classList.toggle('gap', i > 0 && line.at - lines[i - 1].line.at > 1500);
    if (lines[i + 1]) lines[i + 1].el.classList.toggle('gap', lines[i + 1].line.at - line.at > 1500);
    if (!line.minor) missed++;
  }
  for (const { el } of lines.splice(0, Math.max(0, lines.length - kept))) el.remove();
  renderEmpty();
  if (document.body.dataset.tab === 'feed') missed = 0;
  count();
  if (follow) toNewest();
  else $('#newest').hidden = false;
}

function row(line) {
  const button = h('button', { type: 'button', class: 'line', 'aria-expanded': 'false' },
    h('time', {}, clock(line.at, true)), h('span', { class: `who ${line.who}` }, line.who),
    h('span', { class: 'what' }, line.text, line.more && h('span', { class: 'more' }, ' · ', line.more)),
    h('span', { class: 'status' }, line.status ? String(line.status) : ''));
  const el = h('li', { class: [line.minor && 'minor', line.tone].filter(Boolean).join(' ') }, button);
  let detail = null;
  button.addEventListener('click', () => tried(async () => {
    if (detail) {
      detail.remove();
      detail = null;
      button.setAttribute('aria-expanded', 'false');
      return;
    }
    button.setAttribute('aria-expanded', 'true');
    detail = h('div', { class: 'detail' });
    el.append(detail);
    await fill(detail, line);
  }));
  return el;
}

async function fill(detail, line) {
  const raw = await api('GET', `/lines/${line.source}/${line.n}`);
  if (line.again) detail.append(again(line));
  if (line.source === 'gateway' && line.ref) detail.append(await why(line.ref));
  const { request, answer, body, ...rest } = raw;
  const sent = line.again === 'webhook' && (await api('GET', `/chat/webhooks/${line.again_id}`)).body;
  for (const [title, text] of [['Request', request || body || sent], ['Answer', answer]]) {
    if (text) detail.append(h('h3', {}, title), h('pre', { tabindex: '0', 'aria-label': title }, pretty(text)));
  }
  detail.append(h('h3', {}, request || body || sent || answer ? 'The rest of the entry' : 'Entry'), h('pre', { tabindex: '0', 'aria-label': 'Entry' }, JSON.stringify(rest, null, 2)));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// again sends a webhook once more, byte for byte.
function again(line) {
  const send = (copies, delay) => () => tried(async () => {
    if (line.again === 'webhook') {
      await api('POST', `/chat/webhooks/${line.again_id}/resend`, { copies, delay_ms: delay });
      return;
    }
    for (let i = 0; i < copies; i++) await api('POST', `/mailgun/posts/${line.again_id}/resend`);
  });
  const button = (text, f) => h('button', { type: 'button', class: 'quiet small', onclick: f }, text);
  return h('div', { class: 'row again' }, button('Send again', send(1, 0)), button('Send twice', send(2, 0)),
    line.again === 'webhook' && button('In 5 s', send(1, 5000)));
}

// why shows everything that the gateway noted about the same matter.
async function why(ref) {
  try {
    const { notes } = await api('GET', `/explain/${encodeURIComponent(ref)}`);
    return h('ol', { class: 'why' }, notes.map((n) => h('li', {}, h('b', {}, n.what), [n.why, n.user && app.person(n.user).name, n.detail].filter((s) => s?.trim()).map((s) => ` · ${s}`).join(''))));
  } catch {
    return '';
  }
}

// --- mail that waits for an operator

export function showHeld(list) {
  const waiting = list.filter((x) => x.state === 'held');
  const el = $('#held');
  const follow = low();
  el.hidden = !waiting.length;
  el.replaceChildren(...waiting.slice(0, 5).map((x) => {
    const act = (what) => () => tried(() => api('POST', `/held/${x.id}/${what}`));
    return h('div', { class: 'held-one' },
      h('p', {}, h('b', {}, 'Held: '), `“${x.subject}” from ${x.sender}`, h('small', {}, x.reason)),
      h('span', { class: 'row' },
        h('button', { type: 'button', class: 'quiet small', onclick: act('release') }, 'Let it in'),
        h('button', { type: 'button', class: 'quiet small', onclick: act('discard') }, 'Throw away')));
  }));
  if (waiting.length > 5) el.append(h('p', {}, `and ${waiting.length - 5} more`));
  if (follow) toNewest();
}
