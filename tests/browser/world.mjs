// A running sandbox and a browser on it, for the tests here.
import { chromium } from 'playwright-core';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// Screenshots go here; git ignores it.
export const artefacts = process.env.ARTEFACTS || here('artefacts');

// startSandbox runs the binary named by POSTERN and gives its addresses.
export async function startSandbox() {
  const program = spawn(process.env.POSTERN, ['sandbox', '--headless', '--seed', '7'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, POSTERN_MAILGUN_UNSURE_AFTER: '3s' }, // else a test waits for half a minute
  });
  const ended = new Promise((_, fail) => program.once('exit', (code) => fail(new Error(`the sandbox ended with ${code}`))));
  const line = await Promise.race([new Promise((ok) => readline.createInterface({ input: program.stdout }).once('line', ok)), ended]);
  ended.catch(() => {});
  return { ...JSON.parse(line), stop: () => program.kill('SIGTERM') };
}

// startBrowser starts Debian's Chromium without anything that would ask the network.
export function startBrowser() {
  const executablePath = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  mkdirSync(artefacts, { recursive: true });
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

// openPage opens the sandbox's page and gathers whatever goes wrong on it.
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on('pageerror', (e) => wrong.push(`script error: ${e.stack}`));
  page.on('console', (m) => { if (m.type() === 'error') wrong.push(`console: ${m.text()}`); });
  page.on('request', (r) => { if (!r.url().startsWith(url) && !r.url().startsWith('data:')) wrong.push(`asked elsewhere: ${r.url()}`); });
  await page.goto(url);
  await page.locator('#people li').first().waitFor();
  const shot = (name) => page.screenshot({ path: `${artefacts}/${name}.png` });
  return { page, wrong, shot, context };
}
