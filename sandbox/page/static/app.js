// The page of `postern sandbox`: what is known, and how it is kept up to date.
import { $, options } from './dom.js';
import * as chat from './chat.js';
import * as mail from './mail.js';
import * as feed from './feed.js';

// app is what the columns share.
export const app = {
  world: { people: [] },
  chat: { users: [], channels: [] },
  boxes: [],
  me: 'ana',
  channel: '',
  box: 'bob@people.example',
  person: (id) => app.world.people.find((p) => p.id === id) ?? { id, name: app.chat.users.find((u) => u.user_id === id)?.nickname || id },
  nameOf: (address) => app.world.people.find((p) => p.address === address)?.name ?? address,
};

// api asks the page's own server; a refusal becomes an Error with its text.
export async function api(method, path, body) {
  const headers = { 'X-Postern-Page': '1' };
  if (body !== undefined && !(body instanceof FormData) && !(body instanceof Blob)) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(body);
  }
  const resp = await fetch('api' + path, { method, headers, body, cache: 'no-store' });
  const text = await resp.text();
  let answer = {};
  try { answer = text ? JSON.parse(text) : {}; } catch { answer = { error: text }; }
  if (!resp.ok) throw new Error(typeof answer.error === 'string' ? answer.error : answer.message || `${resp.status} ${resp.statusText}`);
  return answer;
}

// tried runs what a click asks for and shows what went wrong.
export async function tried(f) {
  try {
    return await f();
  } catch (err) {
    toast(err.message);
  }
}

let toastTimer;
export function toast(text) {
  const el = $('#toast');
  el.textContent = text;
  el.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { el.hidden = true; }, 6000);
}

export function announce(text) { $('#announce').textContent = text; }

// One request of a kind at a time; what comes meanwhile asks once more afterwards.
function single(f) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    try { await tried(f); } finally { running = false; }
    if (again) { again = false; run(); }
  };
}

export const lookAtChat = single(async () => {
  app.chat = await api('GET', '/chat/state?messages=300');
  if (!app.chat.channels.some((c) => c.channel_url === app.channel)) {
    app.channel = app.world.channel || app.chat.channels[0]?.channel_url || '';
  }
  chat.render();
  badges();
});

export const lookAtMail = single(async () => {
  app.boxes = (await api('GET', '/mailboxes')).mailboxes;
  await mail.refresh();
  badges();
});

export const lookAtHeld = single(async () => feed.showHeld((await api('GET', '/held')).held));

// --- tabs of narrow screens

export function show(tab) {
  document.body.dataset.tab = tab;
  for (const b of document.querySelectorAll('.tabs button')) {
    if (b.dataset.tab === tab) b.setAttribute('aria-current', 'true');
    else b.removeAttribute('aria-current');
  }
  mail.measure();
  chat.render();
  feed.shown();
}

function badges() {
  const count = (tab, n) => {
    const el = $(`.tabs [data-tab=${tab}] .count`);
    el.textContent = n;
    el.hidden = !n;
  };
  count('chat', chat.unread());
  count('mail', mail.unseen());
}

// --- switches

async function loadBreaks() { showBreaks(await api('GET', '/breaks')); }

function showBreaks(now) {
  for (const b of document.querySelectorAll('[data-break]')) b.setAttribute('aria-checked', String(now[b.dataset.break]));
}

function mountSwitches() {
  for (const b of document.querySelectorAll('[data-break]')) {
    b.addEventListener('click', () => tried(async () => {
      const want = {};
      for (const o of document.querySelectorAll('[data-break]')) want[o.dataset.break] = (o.getAttribute('aria-checked') === 'true') !== (o === b);
      showBreaks(await api('PUT', '/breaks', want));
    }));
  }
  $('#reset').addEventListener('click', () => tried(async () => {
    $('#reset').disabled = true;
    try {
      await api('POST', '/reset');
      Object.assign(app.world, await api('GET', '/world'));
      app.channel = app.world.channel;
      app.me = 'ana';
      app.box = 'bob@people.example';
      await loadBreaks();
      lookAtChat();
      lookAtMail();
      announce('Everything is as at the start');
    } finally {
      $('#reset').disabled = false;
    }
  }));
}

// --- the gateway

function mountGateway() {
  $('#kill').hidden = !app.world.can_kill;
  $('#kill').addEventListener('click', () => tried(async () => {
    if ($('#kill').getAttribute('aria-disabled') === 'true') return;
    await api('POST', '/kill');
    showGateway(false);
    announce('The gateway was killed');
  }));
}

// showGateway says whether it answers. Focus stays on the button.
function showGateway(up) {
  $('#kill').setAttribute('aria-disabled', String(!up));
  $('#kill').textContent = up ? 'Kill the gateway' : 'The gateway is down';
  document.body.classList.toggle('down', !up);
  $('#tagline').textContent = up || app.world.can_kill ? 'Nothing leaves this machine.' : `No gateway answers at ${app.world.gateway} yet.`;
}

// --- the stream

function listen() {
  const s = new EventSource('api/stream');
  let versions = {};
  s.addEventListener('hello', (e) => {
    $('#offline').hidden = true;
    const { boot } = JSON.parse(e.data);
    if (boot !== app.world.boot) location.reload();
    versions = {};
  });
  s.addEventListener('cleared', () => feed.clear());
  s.addEventListener('lines', (e) => {
    const lines = JSON.parse(e.data);
    feed.add(lines);
    chat.heard(lines);
    mail.heard(lines);
  });
  s.addEventListener('look', (e) => {
    const now = JSON.parse(e.data);
    if (now.chat !== versions.chat) lookAtChat();
    if (now.mail !== versions.mail) lookAtMail();
    if (now.held !== versions.held) lookAtHeld();
    versions = now;
  });
  s.addEventListener('gateway', (e) => showGateway(JSON.parse(e.data).up));
  s.addEventListener('error', () => { $('#offline').hidden = false; });
}

async function start() {
  Object.assign(app.world, await api('GET', '/world'));
  app.channel = app.world.channel;
  if (!app.world.can_reset) $('#reset').hidden = true;
  for (const b of document.querySelectorAll('.tabs button')) b.addEventListener('click', () => show(b.dataset.tab));
  chat.mount();
  mail.mount();
  feed.mount();
  mountSwitches();
  mountGateway();
  listen();
  await loadBreaks();
}

export { options };
start().catch((err) => toast(err.message));
