// The vendors' clients, wrapped so that it is known which of their calls were made with success.
import assert from 'node:assert/strict';
import FormData from 'form-data';
import Mailgun from 'mailgun.js';
import sdk from 'sendbird-platform-sdk';

export function env(name) {
  const value = process.env[`CONFORMANCE_${name}`];
  assert.ok(value, `CONFORMANCE_${name} is missing: these tests are run by "go test" in the folder above`);
  return value;
}

const endpoints = (name) => JSON.parse(env(name)).map((line) => {
  const [method, path] = line.split(' ');
  return { method, segments: path.split('/') };
});

// emulated says whether an endpoint of the emulator answers the call. Parameters in braces fit each other.
function emulated(list, method, path) {
  const segments = path.split('/');
  const fits = (want, got) => {
    if (want === '{channel_type}') return got.startsWith('{') || got === 'group_channels' || got === 'open_channels';
    return want.startsWith('{') ? got !== '' : want === got;
  };
  return list.some((e) => e.method === method && e.segments.length === segments.length
    && e.segments.every((s, i) => fits(s, segments[i])));
}

// rejected gives the error that a call must end with.
export async function rejected(promise) {
  try {
    await promise;
  } catch (err) {
    return err;
  }
  return assert.fail('the call succeeded');
}

// control speaks with the control plane of an emulator, which is no vendor's.
export async function control(base, method, path, body) {
  const answer = await fetch(`${base}/_emulator/${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  assert.equal(answer.status, 200, `${method} /_emulator/${path}: ${await answer.clone().text()}`);
  return answer.json();
}

// sendbird makes a function that calls 'Class.operation' with path arguments and, last, options; a body goes by its
// own name there, whatever the SDK calls it.
export function sendbird() {
  const api = new sdk.ApiClient();
  api.basePath = env('SENDBIRD_URL');
  const token = env('SENDBIRD_TOKEN');
  const done = new Set();
  const ask = async (name, args) => {
    const [cls, operation] = name.split('.');
    const method = sdk[cls]?.prototype[`${operation}WithHttpInfo`];
    assert.ok(method, `the SDK has no ${name}`);
    const last = args.at(-1);
    if (last !== null && typeof last === 'object' && 'body' in last) {
      const option = /postBody = opts\['(\w+)'\]/.exec(method.toString())?.[1];
      assert.ok(option, `${name} takes no body`);
      args[args.length - 1] = { ...last, [option]: last.body };
    }
    const { data, response } = await method.call(new sdk[cls](api), token, ...args);
    assert.equal(response.status, 200);
    done.add(name);
    return { data, body: response.body };
  };
  // call gives what the SDK makes of the answer, raw the answer: its models have no place for some of it.
  const call = async (name, ...args) => (await ask(name, args)).data;
  const raw = async (name, ...args) => (await ask(name, args)).body;
  // missing are the operations whose endpoint is emulated and that were not called; left are all others.
  const missing = () => {
    const list = endpoints('SENDBIRD_ENDPOINTS');
    const out = [];
    const left = [];
    let supported = 0;
    for (const [cls, C] of Object.entries(sdk)) {
      if (!cls.endsWith('Api')) continue;
      for (const m of Object.getOwnPropertyNames(C.prototype).filter((n) => n.endsWith('WithHttpInfo'))) {
        const [, path, method] = /callApi\('([^']+)', '([A-Z]+)'/.exec(C.prototype[m].toString());
        const name = `${cls}.${m.replace('WithHttpInfo', '')}`;
        if (!emulated(list, method, path)) {
          left.push(name);
          continue;
        }
        supported += 1;
        if (!done.has(name)) out.push(`${name} ${method} ${path}`);
      }
    }
    assert.ok(supported > 100, `only ${supported} operations were found: is the SDK read rightly?`);
    return { missing: out, left, supported };
  };
  return { call, raw, missing };
}

const newMailgun = (url, key) => new Mailgun(FormData).client({ username: 'api', key, url });

// methodsOf walks a client's parts and gives [dotted name, owner, method name] for each method.
function methodsOf(part, prefix = '', seen = new Set()) {
  if (seen.has(part)) return [];
  seen.add(part);
  const out = [];
  for (let proto = Object.getPrototypeOf(part); proto && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const m of Object.getOwnPropertyNames(proto)) {
      if (m === 'constructor' || m.startsWith('_') || typeof part[m] !== 'function') continue;
      if (!out.some(([name]) => name === prefix + m)) out.push([prefix + m, part, m]);
    }
  }
  for (const [name, child] of Object.entries(part)) {
    if (name !== 'request' && name !== 'logger' && child && typeof child === 'object' && Object.getPrototypeOf(child) !== Object.prototype) {
      out.push(...methodsOf(child, `${prefix}${name}.`, seen));
    }
  }
  return out;
}

// mailgun makes the client and, with it, missing(): calls whose endpoint is emulated and that were not made.
export function mailgun(key = env('MAILGUN_KEY')) {
  const client = newMailgun(env('MAILGUN_URL'), key);
  const done = new Set();
  for (const [name, owner, m] of methodsOf(client)) {
    const method = owner[m];
    owner[m] = function recorded(...args) { // helpers among them are no promises and stay as they are
      const answer = method.apply(this, args);
      if (!(answer instanceof Promise)) return answer;
      return answer.then((value) => {
        done.add(name);
        return value;
      });
    };
  }
  const missing = async () => {
    const list = endpoints('MAILGUN_ENDPOINTS');
    const probe = newMailgun('http://127.0.0.1:9', 'x');
    const out = [];
    const left = [];
    let supported = 0;
    for (const [name, owner, m] of methodsOf(probe)) {
      let asked = '';
      probe.request.request = async (method, url) => {
        asked ||= `${method.toUpperCase()} /${url.replace(/^\/+/, '').replace(/\?.*/, '')}`;
        throw new Error('probe');
      };
      for (const args of probes[name] ?? [['x', 'bounces', 'x'], [{}], ['x', {}]]) {
        if (asked) break;
        try {
          await owner[m].apply(owner, args);
        } catch { /* only what it asked for matters */ }
      }
      const at = asked.indexOf(' ');
      if (!asked) continue;
      if (!emulated(list, asked.slice(0, at), asked.slice(at + 1))) {
        left.push(name);
        continue;
      }
      supported += 1;
      if (!done.has(name)) out.push(`${name} ${asked}`);
    }
    assert.ok(supported > 30, `only ${supported} calls were found: is the client read rightly?`);
    return { missing: out, left, supported };
  };
  return { client, missing };
}

// probes are arguments for calls that check what they are given before they ask.
const probes = {
  'messages.create': [['x', { to: 'x', from: 'x', text: 'x' }]],
  'suppressions.list': [['x', 'bounces', {}]],
  'suppressions.create': [['x', 'bounces', { address: 'x' }]],
  'logs.list': [[{ start: new Date(), end: new Date() }]],
  'apiKeys.list': [[{ domain_name: 'x' }]],
  'apiKeys.create': [[{ role: 'sending' }]],
};
