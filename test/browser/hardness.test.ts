// How the page copes with difficult conditions: proxies that delay or cut the stream, many rows, markup in texts that
// others wrote, and users who see little or use no mouse. Also its size.

import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import axe from 'axe-core';
import type { Page, Route } from 'playwright-core';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { registerPhone } from '../support/device-calls.ts';
import { androidToken } from '../support/driven-service.ts';
import { startReceiver } from '../support/event-receiver.ts';
import { operate } from '../support/operator-calls.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';
import { addEndpoint, closeBrowser, openPage, start, untilNewest } from './browser.ts';

afterAll(closeBrowser);

const HASH = 'ab'.repeat(32);
const MAX_BYTES = 40_000;
const MANY = 10_000;
const VIEWS = ['#now', `#find?q=${HASH}`, '#devices', '#callers', '#endpoints'];

/**
 * Passes everything on unchanged, except streams: it cuts those after a while, and may hold back everything in them.
 */
async function startProxy(
  target: string,
  { buffers, cutAfterMs }: { readonly buffers: boolean; readonly cutAfterMs: number },
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    const isStream = url.includes('/stream');
    const passed = request(new URL(url, target), { method, headers }, (response) => {
      if (isStream) setTimeout(() => outgoing.destroy(), cutAfterMs);
      if (isStream && buffers) {
        response.resume();
        return;
      }
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

test('polls where a proxy holds the stream up and cuts it, and says so', async () => {
  const { running, url } = await start();
  const proxy = await startProxy(url, { buffers: true, cutAfterMs: 30_000 });
  const page = await openPage({ url: proxy, mayLoseConnections: true });
  await page.getByText('polling every 5 s').waitFor();
  await running.notify(ANDROID_TOKEN, HASH);
  await untilNewest(page, /delivered/);
  // Existing rows stay the same elements, so nothing flickers.
  await page.evaluate("document.querySelector('#log li').dataset.seen = 'yes'");
  await running.notify(ANDROID_TOKEN, '01'.repeat(32));
  await page.locator('#log li').nth(1).and(page.locator('[data-seen=yes]')).waitFor();
  expect(await page.locator('#live').textContent()).toBe('polling every 5 s');
});

test('returns to a stream that was cut, and says meanwhile that it polls', async () => {
  const { running, url } = await start();
  const proxy = await startProxy(url, { buffers: false, cutAfterMs: 2_000 });
  const page = await openPage({ url: proxy, mayLoseConnections: true });
  await page.locator('#live.live').waitFor();
  await page.locator('#live.poll').waitFor();
  await running.notify(ANDROID_TOKEN, HASH);
  await untilNewest(page, /delivered/);
  await page.locator('#live.live').waitFor();
});

test('does not ask for the list while another view is loading', async () => {
  const { url } = await start();
  const page = await openPage({ url });
  await page.locator('#log').waitFor();
  const { promise: asked, resolve: hold } = Promise.withResolvers<Route>();
  await page.route('**/view/find', hold);
  await page.goto(`${url}/admin/#find?q=${HASH}`);
  const held = await asked;
  await page.evaluate(`(async () => {
    const { src } = document.querySelector('script[type=module]');
    await (await import(src.replace('page.js', 'now.js'))).refreshLog();
  })()`);
  await held.continue();
  await page.locator('.verdict').waitFor();
});

test('is fast with ten thousand deliveries, and shows no more than two hundred', async () => {
  const { running, url } = await start();
  for (let sent = 0; sent < MANY; sent += 100) {
    const hundred = Array.from({ length: 100 }, (_, index) =>
      running.notify(androidToken(sent + index), HASH).then((answer) => answer.arrayBuffer()),
    );
    await Promise.all(hundred);
  }
  const page = await openPage({ url });
  await page.locator('#log li').nth(199).waitFor();
  expect(await page.locator('#log li').count()).toBe(200);
  for (const path of ['view/now', 'view/log', 'view/log?status=expired', 'view/filters']) {
    expect(await timeOf(page, path), path).toBeLessThan(1_000);
  }
});

/** Milliseconds from the request to the last byte of the answer. */
function timeOf(page: Page, path: string): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const startedAt = performance.now();
    await (await fetch('${path}')).text();
    return performance.now() - startedAt;
  })()`);
}

test('an answer grows when the phone’s receipts arrive, and does not disturb a user who types meanwhile', async () => {
  const { running, url } = await start({
    environment: { NDS_APPS: '{"default":{"receipts":true}}' },
  });
  await running.notify(ANDROID_TOKEN, HASH);
  await running.service.settled();
  const [, path = ''] = /(\/r\/[\w-]+)/.exec(running.sandbox.received()[0]?.data.nds ?? '') ?? [];
  const page = await openPage({ url, path: `#find?q=${HASH}` });
  await page.getByText('no receipt yet').waitFor();
  await page.locator('#q').fill('the next question');
  await running.post(path, '{"stage":"started"}');
  await page.getByText('the phone started at').waitFor();
  expect(await page.locator('#q').inputValue()).toBe('the next question');
  expect(new URL(page.url()).hash).toBe(`#find?q=${HASH}`);
});

const MARKUP = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';

test('markup in texts that others wrote is shown as text', async () => {
  const { running, url } = await start({
    environment: { NDS_TITLES: JSON.stringify({ payment_received: MARKUP }) },
  });
  const device = await registerPhone(running, {
    user: MARKUP,
    app_data: MARKUP,
    token: ANDROID_TOKEN,
  });
  const path = new URL(device.urls.notify ?? '').pathname;
  await running.post(path, `{"template":"payment_received","data":{"payment_hash":"${HASH}"}}`);
  await running.post(notifyPath(`${ANDROID_TOKEN}2`, { app_data: MARKUP }), '{"template":"x"}');
  await running.post(`/n/${encodeURIComponent(MARKUP)}`, '{}', { headers: { 'x-a': MARKUP } });
  await running.post(`/${encodeURIComponent(MARKUP)}`, JSON.stringify({ template: MARKUP }));
  const fault = { kind: 'google_error', status: 400, message: MARKUP } as const;
  running.sandbox.script({ provider: 'fcm', fault });
  await running.notify(`${ANDROID_TOKEN}3`, '02'.repeat(32));
  const { url: address } = await startReceiver();
  const description = MARKUP.replaceAll('x', 'y');
  const hurtful = { url: `${address}/${MARKUP}`, description };
  const { id } = await addEndpoint(running, hurtful);
  await operate(running, { method: 'POST', path: `/endpoints/${id}/test` });
  const page = await openPage({ url });
  for (const view of [
    ...VIEWS,
    `#devices?q=${device.id}`,
    `#find?q=${encodeURIComponent(MARKUP)}`,
  ]) {
    await page.goto(`${url}/admin/${view}`);
    await page.locator('main h1, main .card').first().waitFor();
    expect(await page.evaluate('window.hurt'), view).toBeUndefined();
    expect(await page.locator('main img, main script').count(), view).toBe(0);
  }
  await page.goto(`${url}/admin/#devices?q=${device.id}`);
  await page.getByText(MARKUP).waitFor();
  await page.goto(`${url}/admin/#endpoints`);
  await page.getByText(description, { exact: true }).waitFor();
});

for (const scheme of ['light', 'dark'] as const) {
  for (const width of [360, 1_280, 1_600]) {
    test(`no serious accessibility fault, and nothing beyond the edge: ${scheme}, ${width} pixels`, async () => {
      const { running, url } = await start();
      const device = await registerPhone(running, { user: 'bob', token: ANDROID_TOKEN });
      const path = new URL(device.urls.notify ?? '').pathname;
      await running.post(path, `{"template":"payment_received","data":{"payment_hash":"${HASH}"}}`);
      await running.post('/n/unknown', '{}');
      const { url: address } = await startReceiver();
      const { id } = await addEndpoint(running, { url: address, enabled_events: ['delivery.*'] });
      await operate(running, { method: 'POST', path: `/endpoints/${id}/test` });
      const context = { colorScheme: scheme, viewport: { width, height: 740 } };
      const page = await openPage({ url, context });
      for (const view of VIEWS) {
        await page.goto(`${url}/admin/${view}`);
        await page.locator('main .card').first().waitFor();
        expect(await seriousFaults(page), view).toEqual([]);
        const overflow = 'document.documentElement.scrollWidth - window.innerWidth';
        expect(await page.evaluate(overflow), view).toBeLessThanOrEqual(0);
      }
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      expect(await seriousFaults(page), 'sign in').toEqual([]);
    });
  }
}

/**
 * Violations of axe-core's rules. The policy of the page allows no other scripts, so axe-core is passed to the browser
 * directly.
 */
async function seriousFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 80)).join(' | ')))`);
}

test('the whole page is small', async () => {
  const { url } = await start();
  const page = await openPage({ url, key: null });
  const loaded = new Set<string>();
  page.on('request', (asked) => loaded.add(asked.url()));
  await page.reload({ waitUntil: 'networkidle' });
  const sizes = await Promise.all(
    [...loaded].map(async (address) => (await (await fetch(address)).arrayBuffer()).byteLength),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`the page has ${bytes} bytes in ${sizes.length} answers`);
  expect(sizes.length).toBeGreaterThanOrEqual(6);
  expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
});
