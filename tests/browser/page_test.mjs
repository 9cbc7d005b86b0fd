// The page in a real headless Chromium against the real server.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { args, executablePath } from './chromium_flags.mjs';
import { startFixture } from './fixture.mjs';

const program = process.env.PAGE_FIXTURE_SERVER;
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser;
let fixture;

before(async () => {
  browser = await chromium.launch({ executablePath, args });
  fixture = await startFixture(program);
});
after(async () => {
  await browser?.close();
  await fixture?.stop();
});

// Opens the page; whatever it complains about on the console (CSP violations are said there too) is gathered.
async function open({ url = fixture.url, query = '', width = 1280, height = 720, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...more });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
  });
  await page.goto(url + query);
  return { page, complaints, close: () => context.close() };
}

// How many different colours the chart shows, and a digest of it.
const look = (page) => page.evaluate(() => {
  const canvas = document.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  let digest = 0;
  for (let i = 0; i < data.length; i += 4) {
    const colour = (data[i] << 24) | (data[i + 1] << 16) | (data[i + 2] << 8) | data[i + 3];
    seen.add(colour);
    digest = (Math.imul(digest, 31) + colour) | 0;
  }
  return { colours: seen.size, digest };
});

test('draws the chart with labelled bands, quickly and without complaints', async () => {
  const { page, complaints, close } = await open();
  await page.waitForSelector('canvas');
  await page.waitForFunction(() => document.querySelectorAll('#series button').length >= 10);
  assert.ok((await look(page)).colours > 8, 'the canvas is as good as empty');
  const legend = await page.locator('.legend').innerText();
  for (const band of ['50 %', '80 %', '95 %', 'median', 'actual', 'open bucket', 'alert']) assert.ok(legend.includes(band), band);
  // The best of three, so that a busy machine is not taken for a slow page.
  let paint = Infinity;
  for (let tries = 0; tries < 3 && paint >= 1000; ++tries) {
    if (tries > 0) await page.reload({ waitUntil: 'load' });
    await page.waitForSelector('canvas');
    paint = Math.min(paint, await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
  }
  assert.ok(paint < 1000, `first paint after ${paint} ms`);
  const strip = await page.locator('#strip').innerText();
  for (const words of ['1,240', '0.412', '30 % better', '80.3 %']) assert.ok(strip.includes(words), `${words} in ${strip}`);
  assert.equal(await page.locator('#state').innerText(), 'live');
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  assert.deepEqual(complaints, []);
  await close();
});

test('shows what rises and what fades, and leads to it', async () => {
  const { page, close } = await open();
  await page.waitForSelector('#rising button');
  assert.match(await page.locator('#rising button').first().innerText(), /▲ 80 %\s+80 last 7, 128 expected/);
  assert.match(await page.locator('#fading button').first().innerText(), /▼ 80 %\s+80 last 7, 32 expected/);
  const name = await page.locator('#fading .name').first().innerText();
  await page.locator('#fading button').first().click();
  await page.waitForFunction((wanted) => document.querySelector('.forecast h2').textContent === wanted, name);
  await close();
});

test('hears of a closed bucket, of its forecast and of the open bucket by the stream', async () => {
  const { page, close } = await open({ query: '?series=85123A' });
  await page.waitForSelector('canvas');
  const words = await page.locator('#cutoff-words').innerText();
  const before = await look(page);
  const requests = [];
  page.on('request', (request) => requests.push(new URL(request.url()).pathname));
  await fixture.tell('advance');
  await page.waitForFunction((old) => document.querySelector('#cutoff-words').textContent !== old, words);
  await fixture.tell('open 777');
  await page.waitForFunction(() => document.querySelector('#readout').textContent.includes('so far 777'));
  assert.notEqual((await look(page)).digest, before.digest);
  assert.deepEqual(requests, [], 'live data must come by the stream alone');
  await close();
});

test('choosing and searching a series changes chart and address', async () => {
  const { page, close } = await open();
  await page.waitForSelector('canvas');
  await page.locator('#search').fill('sku 007');
  await page.waitForFunction(() => document.querySelectorAll('#series button').length === 1);
  await page.locator('#search').press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#chosen').textContent === 'SKU 007/a');
  await page.waitForFunction(() => new URLSearchParams(location.search).get('series') === 'SKU 007/a');
  await page.reload();
  await page.waitForFunction(() => document.querySelector('#chosen').textContent === 'SKU 007/a' && document.querySelector('canvas'));
  await close();
});

test('the slider shows past forecasts and finds back to live', async () => {
  const { page, close } = await open({ query: '?series=85123A' });
  await page.waitForSelector('#cutoff');
  const newest = await look(page);
  await page.locator('#cutoff').focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(() => document.querySelector('#cutoff-words').textContent.includes('5 back'));
  await page.waitForFunction(() => new URLSearchParams(location.search).has('cutoff'));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.notEqual((await look(page)).digest, newest.digest);
  await page.getByRole('button', { name: 'Back to live' }).click();
  await page.waitForFunction(() => document.querySelector('#cutoff-words').textContent.includes('newest'));
  await close();
});

test('an alert appears with observed against expected, and leads to its series', async () => {
  const { page, close } = await open({ query: '?series=SKU%20003%2Fa' });
  await page.waitForSelector('canvas');
  const count = await page.locator('#alerts li').count();
  await fixture.tell('alert');
  await page.waitForFunction((old) => document.querySelectorAll('#alerts li').length > old, count);
  const first = page.locator('#alerts li').first();
  const words = await first.innerText();
  assert.match(words, /85123A\s+above its forecast/);
  assert.match(words, /observed [\d.,]+, expected [\d.,]+ = level [\d.,]+, season −[\d.,]+, promotion \+[\d.,]+ \(80 %: [\d.,]+ to [\d.,]+\)/);
  await first.locator('button').click();
  await page.waitForFunction(() => document.querySelector('#chosen').textContent === '85123A');
  await close();
});

test('the numbers behind the chart are a table', async () => {
  const { page, close } = await open({ query: '?series=85123A' });
  await page.locator('summary').click();
  assert.ok(await page.locator('tbody tr').count() > 20);
  assert.match(await page.locator('tbody tr').first().innerText(), /2010.*to/s);
  await close();
});

for (const [name, viewport] of [['a phone', { width: 375, height: 667 }], ['1280x720', { width: 1280, height: 720 }]]) {
  test(`${name} has no horizontal scroll`, async () => {
    const { page, close } = await open(viewport);
    await page.waitForSelector('canvas');
    await page.waitForSelector('#series button');
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} > ${window}`);
    const chart = await page.locator('canvas').boundingBox();
    assert.ok(chart.x >= 0 && chart.x + chart.width <= viewport.width);
    await close();
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing serious in ${colorScheme}`, async () => {
    const { page, close } = await open({ colorScheme });
    await page.waitForSelector('canvas');
    await page.waitForSelector('#series button');
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => axe.run());
    const serious = violations.filter((violation) => ['serious', 'critical'].includes(violation.impact));
    assert.deepEqual(serious.map((violation) => [violation.id, violation.nodes.map((node) => node.html)]), []);
    await close();
  });
}

test('an empty instance says what to do', async () => {
  const empty = await startFixture(program, ['--empty']);
  const { page, close } = await open({ url: empty.url });
  await page.waitForFunction(() => document.querySelector('#empty')?.textContent.includes('/v1/events/orders'));
  assert.match(await page.locator('.side').innerText(), /curl/);
  await close();
  await empty.stop();
});

test('says since when it is stale when the server stops, and recovers', async () => {
  const dying = await startFixture(program);
  const { page, close } = await open({ url: dying.url });
  await page.waitForSelector('canvas');
  await dying.stop();
  await page.waitForFunction(() => /^Stale since \d\d:\d\d:\d\d$/.test(document.querySelector('#state').textContent), null, { timeout: 20_000 });
  const again = await startFixture(program, ['--port', String(dying.port)]);
  await page.waitForFunction(() => document.querySelector('#state').textContent === 'live', null, { timeout: 20_000 });
  await close();
  await again.stop();
});
