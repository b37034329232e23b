// The README's story, played in a real browser: node --test story.test.js, or run.sh.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { startSandbox, startBrowser, openPage } from './world.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let sandbox;
let browser;
before(async () => { [sandbox, browser] = await Promise.all([startSandbox(), startBrowser()]); });
after(async () => { await browser?.close(); sandbox?.stop(); });

// accessible fails with whatever axe-core finds. Its own script is evaluated by the
// debugger, which the page's policy does not concern.
async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(' | ')}`), [], where);
}

const line = (page, text) => page.locator('#lines .what', { hasText: text });

test('the story', async () => {
  const { page, wrong, shot } = await openPage(browser, sandbox.page);
  await page.getByText('Write to Bob', { exact: true }).waitFor();
  await accessible(page, 'empty');
  await shot('1-empty');

  // Two messages in one quiet window become one mail.
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Hello Bob, the parcel is here. Shall I send it on?');
  await text.press('Enter');
  await text.fill('It is the blue one.');
  await text.press('Enter');
  await page.getByText(/joins the same mail/).waitFor();
  await shot('2-written');
  await page.locator('.mail').waitFor();
  await page.locator('.mark.delivered').nth(1).waitFor();
  assert.equal(await page.locator('.mail').count(), 1, 'one mail');
  await line(page, 'Bob has mail “Support”').waitFor();

  // Opening without pictures tells nothing; with pictures the chat shows it.
  await page.locator('.mail-head').click();
  const frame = page.frameLocator('iframe.frame');
  await frame.getByText('It is the blue one.').waitFor();
  await accessible(page, 'mail open');
  await shot('3-mail');
  assert.equal(await page.locator('.mark.read').count(), 0, 'not read yet');
  await page.getByRole('button', { name: 'Show pictures' }).click();
  await page.locator('.mark.read').nth(1).waitFor();
  await line(page, 'marked as read by Bob').waitFor();

  // Bob answers with quoting; only his own words come.
  await page.getByRole('combobox', { name: 'Mail program' }).selectOption('outlook');
  await page.getByRole('textbox', { name: /^Answer to Ana/ }).fill('Yes please, to the new address.');
  await page.getByRole('button', { name: 'Reply' }).click();
  const answer = page.locator('.message:not(.own)');
  await answer.waitFor();
  assert.equal(await answer.locator('.bubble').innerText(), 'Yes please, to the new address.');
  await answer.getByText('by e-mail').waitFor();
  await page.locator('.mail.sent').waitFor();
  assert.equal(await page.locator('.mail').count(), 2, 'the mail and the answer');
  await shot('4-answered');

  // Bob online: no mail, and the gateway says why.
  await page.getByRole('switch', { name: 'Bob is online' }).click();
  await page.locator('[aria-label="Bob is online"][aria-checked=true]').waitFor();
  await text.fill('Good, it goes out today.');
  await text.press('Enter');
  await line(page, 'no mail to').filter({ hasText: 'Bob is online' }).waitFor();
  assert.equal(await page.locator('.mail:not(.sent)').count(), 1, 'no further mail');

  // A stranger who knows the reply address is held, with the reason.
  await page.getByRole('button', { name: 'Answer as a stranger' }).click();
  await page.getByRole('textbox', { name: 'Text' }).fill('I am Bob, honestly. Send it to me.');
  await accessible(page, 'dialog');
  await page.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
  await page.locator('.held-one').waitFor();
  assert.match(await page.locator('.held-one').innerText(), /mallory@elsewhere\.example[\s\S]*somebody else than the participant/);
  assert.equal(await page.locator('.message').count(), 4, 'nothing of it in the chat');
  await accessible(page, 'held');
  await shot('5-held');

  // An operator may let it in.
  await page.getByRole('button', { name: 'Let it in' }).click();
  await page.locator('.messages').getByText('I am Bob, honestly.').waitFor();
  await page.locator('.held-one').waitFor({ state: 'detached' });

  // Light, dark, phone.
  await page.emulateMedia({ colorScheme: 'dark' });
  await accessible(page, 'dark');
  await shot('6-dark');
  await page.setViewportSize({ width: 380, height: 780 });
  for (const tab of ['chat', 'mail', 'feed']) {
    await page.locator(`.tabs [data-tab=${tab}]`).click();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 380, `${tab} fits`);
    await accessible(page, `${tab} at phone width`);
    await shot(`7-phone-${tab}`);
  }
  // The one thing that may not load is the picture that a mail program hides.
  const odd = wrong.filter((w) => !/Loading the image '[^']*\/o\/[^']*' violates/.test(w) && !/asked elsewhere: .*\/o\//.test(w));
  assert.deepEqual(odd, []);
});

test('one line for every step, with its bytes; a webhook again', async () => {
  const { page } = await openPage(browser, sandbox.page);
  await line(page, 'webhook message_send').first().click();
  const detail = page.locator('.detail');
  await detail.getByText('"category": "group_channel:message_send"').first().waitFor();
  const before = await line(page, 'webhook message_send').count();
  await detail.getByRole('button', { name: 'Send twice' }).click();
  await page.waitForFunction((n) => [...document.querySelectorAll('#lines .what')].filter((e) => e.textContent.includes('webhook message_send')).length === n, before + 2);
  await page.getByLabel('every step').uncheck();
  await page.locator('#lines .minor').first().waitFor({ state: 'hidden' });
});

test('things break and mend', async () => {
  const { page, shot } = await openPage(browser, sandbox.page);
  await page.getByRole('button', { name: 'Start over' }).click();
  await page.getByText('No mail yet').waitFor();
  assert.equal(await page.locator('.message').count(), 0);

  const down = page.getByRole('switch', { name: 'Mailgun down' });
  await down.click();
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Does it arrive?');
  await text.press('Enter');
  await page.locator('#lines .bad .what', { hasText: 'tried to hand a mail to Mailgun' }).first().waitFor();
  await shot('8-broken');
  await down.click();
  await page.locator('.mail').waitFor({ timeout: 40_000 });
  assert.equal(await page.locator('.mail').count(), 1, 'once, not twice');

  // Lost and doubled webhooks.
  await page.getByRole('switch', { name: 'Everything twice' }).click();
  await page.locator('.mail-head').click();
  await page.getByRole('textbox', { name: /^Answer to Ana/ }).fill('It does.');
  await page.getByRole('button', { name: 'Reply' }).click();
  await page.locator('.messages').getByText('It does.').waitFor();
  await page.getByRole('button', { name: 'Show pictures' }).waitFor(); // an answer shows none
  await page.waitForFunction(() => [...document.querySelectorAll('#lines .what')].filter((e) => e.textContent.includes('handed the mail to the gateway')).length === 2);
  assert.equal(await page.locator('.messages').getByText('It does.').count(), 1, 'posted once');
});

test('killed, and nothing is lost', async () => {
  const { page, shot } = await openPage(browser, sandbox.page);
  await page.getByRole('button', { name: 'Start over' }).click();
  await page.getByText('No mail yet').waitFor();
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Written before it died.');
  await text.press('Enter');
  await line(page, 'webhook message_send').first().waitFor(); // the gateway has it; the quiet window is open
  await page.getByRole('button', { name: 'Kill the gateway' }).click();
  await line(page, 'the gateway was killed').waitFor();
  const down = page.getByRole('button', { name: 'The gateway is down' });
  await down.waitFor();
  await text.fill('Written while it was down.');
  await text.press('Enter');
  await accessible(page, 'gateway down');
  await shot('9-killed');
  await line(page, 'the gateway runs again').waitFor();
  await page.getByRole('button', { name: 'Kill the gateway' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.mark.delivered').length === 2, null, { timeout: 40_000 });
  // One mail, or two if the quiet window was over: the list is drawn apart from the lines.
  await page.waitForFunction(() => document.querySelectorAll('.mail').length === [...document.querySelectorAll('#lines .what')].filter((e) => e.textContent.includes('Bob has mail')).length);
  const texts = [];
  for (const mail of await page.locator('.mail').all()) {
    await mail.locator('.mail-head').click();
    texts.push(await mail.frameLocator('iframe.frame').locator('body').innerText());
    await mail.locator('.mail-head').click();
  }
  for (const words of ['Written before it died.', 'Written while it was down.']) {
    assert.equal(texts.join('\n').split(words).length - 1, 1, `“${words}” came once: ${texts}`);
  }
  await line(page, 'the gateway was killed').click();
  await page.locator('.detail').getByText('kill -9').waitFor();
});

test('webhooks late, and an open before its delivery', async () => {
  const { page } = await openPage(browser, sandbox.page);
  await page.getByRole('button', { name: 'Start over' }).click();
  await page.getByText('No mail yet').waitFor();
  const late = page.getByRole('switch', { name: 'Webhooks late' });
  await late.click();
  await page.locator('[data-break=late][aria-checked=true]').waitFor();
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Tell me later.');
  await text.press('Enter');
  await page.locator('.mail-head').click();
  await page.waitForTimeout(1100); // an open within the first second is a machine's
  await page.getByRole('button', { name: 'Show pictures' }).click();
  await page.locator('.mark.read').waitFor({ timeout: 40_000 });
  const steps = await page.locator('#lines .what').allInnerTexts();
  const told = (what) => steps.findIndex((s) => s.includes(what));
  assert.ok(told('Mailgun says: Bob opened it') >= 0, steps.join('\n'));
  const delivered = line(page, 'Mailgun says: delivered to Bob');
  await delivered.waitFor({ timeout: 20_000 });
  assert.ok(told('Mailgun says: delivered') < 0 || told('Mailgun says: delivered') > told('Bob opened it'), steps.join('\n'));
  await late.click();
});

test('the keyboard is enough', async () => {
  const { page } = await openPage(browser, sandbox.page);
  await page.getByRole('textbox', { name: 'Message' }).focus();
  await page.keyboard.type('By keys alone');
  await page.keyboard.press('Enter');
  await page.locator('.messages').getByText('By keys alone').waitFor();
  const carl = page.getByRole('switch', { name: 'Carl is online' });
  await carl.focus();
  await page.keyboard.press('Space');
  await page.locator('[aria-label="Carl is online"][aria-checked=true]').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Carl is online', 'focus stays');
  // Edit and delete.
  const mine = page.locator('.message.own', { hasText: 'By keys alone' });
  await mine.getByRole('button', { name: 'Edit' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Changed message' }).fill('By keys only');
  await page.keyboard.press('Enter');
  await page.locator('.message.own', { hasText: 'By keys only' }).getByText('edited').waitFor();
  await page.locator('.message.own', { hasText: 'By keys only' }).getByRole('button', { name: 'Delete' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.gone').waitFor();
});

test('channels, files, mail by file', async () => {
  const { page } = await openPage(browser, sandbox.page);
  await page.getByRole('button', { name: 'New channel' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Billing');
  await page.getByRole('checkbox', { name: 'Bob' }).check();
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('button', { name: 'Billing', pressed: true }).waitFor();
  await page.locator('#chat-file').setInputFiles({ name: 'plan.txt', mimeType: 'text/plain', buffer: Buffer.from('the plan') });
  await page.locator('.bubble .chip', { hasText: 'plan.txt' }).waitFor();
  const mail = page.locator('.mail:not(.sent)', { hasText: 'Billing' });
  await mail.waitFor();
  await mail.locator('.mail-head').click();
  const to = (await mail.locator('.addresses dd').first().getAttribute('title')).match(/<(.+)>/)[1];

  // Any mail program's bytes will do.
  const eml = `From: Bob <bob@people.example>\r\nTo: ${to}\r\nSubject: Re: Billing\r\nMessage-ID: <1@people.example>\r\nDate: ${new Date().toUTCString()}\r\n\r\nThank you for the plan.\r\n`;
  await page.getByRole('button', { name: 'Upload .eml' }).click();
  await page.getByLabel('File (.eml)').setInputFiles({ name: 'a.eml', mimeType: 'message/rfc822', buffer: Buffer.from(eml) });
  await page.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
  await page.locator('.messages').getByText('Thank you for the plan.').waitFor();

  // A machine that fetches the pictures has not read the mail.
  await mail.getByRole('combobox', { name: /fetch the pictures/ }).selectOption('apple');
  await line(page, 'a machine opened the mail to Bob').waitFor();
  await mail.getByRole('button', { name: 'Show pictures' }).waitFor();

  // Unsubscribed, he gets no more of this channel, and the gateway says why.
  await mail.getByRole('button', { name: 'Unsubscribe' }).click();
  await line(page, 'Bob unsubscribed').waitFor();
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Are you still there?');
  await text.press('Enter');
  await line(page, 'no mail to Bob').filter({ hasText: 'unsubscribed from this conversation' }).waitFor();
});
