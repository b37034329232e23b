// Small helpers to build and keep up a page without a framework.

// h makes an element: h('button', {class: 'x', onclick: f, disabled: true}, 'text', child).
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked') el[name] = value;
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

export const $ = (selector) => document.querySelector(selector);

const focusable = 'button, textarea, input, a[href]';

// keyed keeps the children of parent in step with items: an element is made anew only
// when what view() says of its item has changed, so that focus and selection stay.
export function keyed(parent, items, key, view, make) {
  const old = parent.keyed ?? new Map();
  const now = new Map();
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    const sig = JSON.stringify(view(item));
    let kept = old.get(k);
    let focused = false;
    if (!kept || kept.sig !== sig) {
      const el = make(item);
      if (kept) {
        focused = kept.el.contains(document.activeElement);
        if (at === kept.el) at = el;
        kept.el.replaceWith(el);
      }
      kept = { el, sig };
    }
    if (kept.el !== at) parent.insertBefore(kept.el, at);
    else at = at.nextElementSibling;
    if (focused) (kept.el.matches(focusable) ? kept.el : kept.el.querySelector(focusable))?.focus();
    now.set(k, kept);
    old.delete(k);
  }
  for (const { el } of old.values()) el.remove();
  parent.keyed = now;
}

// options fills a select without losing its choice.
export function options(select, list, value) {
  const sig = JSON.stringify(list);
  if (select.sig !== sig) {
    select.sig = sig;
    select.replaceChildren(...list.map(([v, text]) => h('option', { value: v }, text)));
  }
  select.value = value;
}

export function clock(ms, seconds = false) {
  return new Date(ms).toLocaleTimeString([], seconds
    ? { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }
    : { hour: '2-digit', minute: '2-digit', hour12: false });
}

export function size(bytes) {
  if (bytes < 1000) return bytes + ' B';
  if (bytes < 1e6) return Math.round(bytes / 1e3) + ' kB';
  return (bytes / 1e6).toFixed(1) + ' MB';
}

// base64 of a File, for JSON.
export async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let s = '';
  for (let i = 0; i < bytes.length; i += 0x8000) s += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(s);
}

export const attachments = (files) => Promise.all([...files].map(async (f) => ({
  filename: f.name, content_type: f.type || 'application/octet-stream', data: await base64(f),
})));

// dialog shows a form in a modal dialog; submit may throw to keep it open.
export function dialog(title, fields, button, submit) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const id = 'dialog-title';
  const send = h('button', { type: 'submit', class: 'primary' }, button);
  const form = h('form', { method: 'dialog' },
    h('h2', { id }, title), fields, problem,
    h('div', { class: 'row buttons' }, h('button', { type: 'button', class: 'quiet', onclick: () => d.close() }, 'Cancel'), send));
  const d = h('dialog', { 'aria-labelledby': id }, form);
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    send.disabled = true;
    try {
      await submit();
      d.close();
    } catch (err) {
      problem.textContent = err.message;
    } finally {
      send.disabled = false;
    }
  });
  d.addEventListener('close', () => d.remove());
  document.body.append(d);
  d.showModal();
  return d;
}

export function field(label, control) {
  return h('label', { class: 'field' }, h('span', {}, label), control);
}
