// Makes the README's picture: POSTERN=bin/postern node screenshot.mjs ../../docs/sandbox.png
import { startSandbox, startBrowser, openPage } from './world.mjs';

const sandbox = await startSandbox();
const browser = await startBrowser();
try {
  const { page } = await openPage(browser, sandbox.page, { viewport: { width: 1400, height: 820 } });
  const text = page.getByRole('textbox', { name: 'Message' });
  await text.fill('Hello Bob, your bicycle is ready. Shall we deliver it?');
  await text.press('Enter');
  await text.fill('Tomorrow between 9 and 11 would suit us.');
  await text.press('Enter');
  await page.locator('.mark.delivered').nth(1).waitFor();
  await page.locator('.mail-head').click();
  await page.frameLocator('iframe.frame').getByText('Tomorrow').waitFor();
  await page.waitForTimeout(1500); // an open right after the delivery would be a machine's
  await page.getByRole('button', { name: 'Show pictures' }).click();
  await page.locator('.mark.read').nth(1).waitFor();
  await page.getByRole('textbox', { name: /^Answer to Ana/ }).fill('Yes please! 9 is fine, I am at home.');
  await page.getByRole('button', { name: 'Reply' }).click();
  await page.locator('.message:not(.own)').waitFor();
  await page.locator('#lines .what', { hasText: 'answer stands in the chat' }).waitFor();
  await page.getByLabel('every step').uncheck();
  await text.fill('Wonderful, see you tomorrow.');
  await text.press('Enter');
  await page.locator('.message.own').nth(2).waitFor();
  await page.locator('#window').getByText('joins the same mail').waitFor();
  await page.mouse.move(0, 0);
  await page.waitForTimeout(700);
  await page.screenshot({ path: process.argv[2] ?? 'sandbox.png' });
} finally {
  await browser.close();
  sandbox.stop();
}
