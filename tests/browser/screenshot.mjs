// Takes a picture of the page: node screenshot.mjs PROGRAM OUT.png [--series FILE] [--choose NAME] [--dark] [--phone], with the
// fixture's data; or of a page that is served already: node screenshot.mjs URL OUT.png [--choose NAME] [--dark] [--phone]
import { chromium } from 'playwright-core';
import { args, executablePath } from './chromium_flags.mjs';
import { startFixture } from './fixture.mjs';

const [program, out, ...rest] = process.argv.slice(2);
const data = rest.includes('--series') ? ['--series', rest[rest.indexOf('--series') + 1]] : [];
const served = program.startsWith('http');
const fixture = served ? { url: program } : await startFixture(program, data);
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage({
  viewport: rest.includes('--phone') ? { width: 390, height: 844 } : { width: 1280, height: 800 },
  colorScheme: rest.includes('--dark') ? 'dark' : 'light',
});
page.on('console', (message) => console.log(message.type(), message.text()));
page.on('pageerror', (error) => console.log(String(error)));
await page.goto(fixture.url);
await page.waitForSelector('canvas');
if (!served) {
  for (let day = 0; day < 20; day++) await fixture.tell('advance');
  await fixture.tell('openall 0.45');
}
await page.waitForTimeout(2000);
if (rest.includes('--choose')) await page.goto(`${fixture.url}?series=${encodeURIComponent(rest[rest.indexOf('--choose') + 1])}`);
await page.waitForTimeout(700);
await page.screenshot({ path: out });
await browser.close();
if (!served) await fixture.stop();
