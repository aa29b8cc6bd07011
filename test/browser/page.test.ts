// What an operator does with the page: signs in, searches, follows what happens, and acts on it.

import type { Page } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';
import { registerPhone } from '../support/device-calls.ts';
import { iosToken } from '../support/driven-service.ts';
import { KEYS } from '../support/operator-calls.ts';
import { PAGE_KEYS } from '../support/page-calls.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup } from '../support/service.ts';
import { closeBrowser, openPage, outcomes, start, untilNewest } from './browser.ts';

afterAll(closeBrowser);

const HASH = 'ab'.repeat(32);

async function search(page: Page, text: string): Promise<string> {
  await page.locator('main').focus();
  await page.keyboard.press('/');
  await page.keyboard.insertText(text);
  const [answer] = await Promise.all([
    page.waitForResponse(/view\/find$/),
    page.keyboard.press('Enter'),
  ]);
  await answer.finished();
  return (await page.locator('.verdict').textContent()) ?? '';
}

/** Controls that only a signed-in user can use. */
async function canUse(page: Page): Promise<readonly boolean[]> {
  const parts = ['#search', 'nav'].map((part) => page.locator(part).isVisible());
  return await Promise.all(parts);
}

/** An Android phone that its provider finds busy twice: the delivery is queued for a second. */
function busyTwice({ sandbox }: Setup): void {
  const fault = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  sandbox.script({ provider: 'fcm', times: 2, fault });
}

test('signs in with a key, says what is wrong with another, and signs out', async () => {
  const { url } = await start();
  const page = await openPage({ url, key: null });
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await canUse(page)).toEqual([false, false]);
  await page.getByLabel('Key').fill(KEYS.read);
  await page.keyboard.press('Enter');
  await page.getByText('reader').waitFor();
  expect(await canUse(page)).toEqual([true, true]);
  expect(await page.context().cookies()).toMatchObject([
    { name: 'nds_page', httpOnly: true, sameSite: 'Strict', secure: false },
  ]);
  // A session survives closing the tab, and the script cannot read it.
  await page.reload();
  await page.getByText('reader').waitFor();
  expect(await page.evaluate<string>('document.cookie')).toBe('');
  await page.getByText('live', { exact: true }).waitFor();
  // A user who is not signed in gets no events.
  const unheard = page.waitForEvent('requestfailed', (one) => one.url().includes('/stream'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await canUse(page)).toEqual([false, false]);
  expect(await page.context().cookies()).toEqual([]);
  await unheard;
  expect(await page.locator('#live').textContent()).toBe('');
});

test('finds each kind of thing, and keeps secrets out of the address', async () => {
  const { running, url } = await start();
  const device = await registerPhone(running, { user: 'wallet-of-alice', token: ANDROID_TOKEN });
  const answer = await running.post(
    new URL(device.urls.notify ?? '').pathname,
    JSON.stringify({ template: 'payment_received', data: { payment_hash: HASH } }),
  );
  const deliveryId = answer.headers.get('delivery-id') ?? '';
  const requestId = answer.headers.get('request-id') ?? '';
  const page = await openPage({ url });
  for (const [question, isPublic] of [
    [HASH, true],
    [HASH.slice(0, 8).toUpperCase(), true],
    [deliveryId, true],
    [`urn:uuid:${requestId}`, true],
    [device.id, true],
    [ANDROID_TOKEN, false],
    [device.urls.notify ?? '', false],
    [`https://nds.example.com${notifyPath(ANDROID_TOKEN)}`, false],
    ['wallet-of-alice', false],
  ] as const) {
    expect(await search(page, question), question).toMatch(/^Delivered/);
    const { hash } = new URL(page.url());
    expect(hash, question).toBe(
      isPublic ? `#find?${new URLSearchParams({ q: question })}` : '#find',
    );
  }
  expect(await search(page, 'cd'.repeat(32))).toMatch(/^Nothing known about it/);
  // Each row of the line of time is a permanent link.
  await search(page, HASH);
  const row = page.locator('.timeline a.row').first();
  const [tab] = await Promise.all([page.waitForEvent('popup'), row.click()]);
  expect(await tab.locator('.verdict').textContent()).toMatch(/^Delivered/);
  expect(tab.url()).toContain(deliveryId);
  // Going back is the browser's own function.
  await page.goBack();
  await page.getByRole('heading', { name: /^payment|^delivery|Nothing|cdcd/ }).waitFor();
});

test('copies a text without secrets for a support ticket', async () => {
  const { running, url } = await start();
  const device = await registerPhone(running, { user: 'wallet-of-alice', token: ANDROID_TOKEN });
  await running.notify(ANDROID_TOKEN, HASH);
  const page = await openPage({ url });
  await search(page, ANDROID_TOKEN);
  await page.getByRole('button', { name: 'Copy for support' }).click();
  await page.getByText('Copied.').waitFor();
  const copied = await page.evaluate<string>('navigator.clipboard.readText()');
  expect(copied).toContain('received');
  expect(copied).toContain('Delivered');
  for (const secret of [ANDROID_TOKEN, 'wallet-of-alice', HASH, ...Object.values(device.urls)]) {
    expect(copied).not.toContain(secret);
  }
});

test('shows what happens when it happens, within limits, and does not disturb a reader', async () => {
  const { running, url } = await start();
  const page = await openPage({ url });
  await page.locator('#live.live').waitFor();
  await running.notify(ANDROID_TOKEN, HASH);
  await untilNewest(page, /delivered.*payment_received/);
  busyTwice(running);
  await running.notify(ANDROID_TOKEN, '01'.repeat(32));
  await untilNewest(page, /queued/);
  await untilNewest(page, /delivered/);
  // A reader whose focus is in the list is not disturbed: rows change in place, and none is added.
  await page.keyboard.press('ArrowDown');
  const focused = await page.evaluate<string>('document.activeElement?.textContent');
  await running.post('/n/unknown', '{}');
  await page.getByRole('button', { name: '1 new: show' }).waitFor();
  expect(await page.evaluate<string>('document.activeElement?.textContent')).toBe(focused);
  expect(await outcomes(page)).toEqual(['delivered', 'delivered']);
  await page.getByRole('button', { name: '1 new: show' }).click();
  await untilNewest(page, /refused 404.*unknown_handle/);
  await page.locator('main').focus();
  for (let count = 0; count < 220; count += 1) await running.notify(iosToken(count), HASH);
  await page.locator('#log li').nth(199).waitFor();
  expect(await page.locator('#log li').count()).toBe(200);
});

test('filters are in the address, and survive a reload', async () => {
  const { running, url } = await start();
  await running.notify(ANDROID_TOKEN, HASH);
  await running.notify(IOS_TOKEN, '02'.repeat(32));
  await running.post('/n/unknown', '{}');
  await running.post(notifyPath(IOS_TOKEN), '{"template":"tx_confirmed","data":{"tx_id":"1"}}');
  const page = await openPage({ url });
  await page.locator('#log li').nth(3).waitFor();
  await page.locator('select[name=provider]').selectOption('apns');
  await page.locator('#log li').nth(2).waitFor({ state: 'detached' });
  await page.locator('select[name=type]').selectOption('payment_received');
  await page.locator('#log li').nth(1).waitFor({ state: 'detached' });
  expect(new URL(page.url()).hash).toBe('#now?provider=apns&type=payment_received');
  await page.reload();
  await page.locator('#log li').first().waitFor();
  expect(await page.locator('#log li').count()).toBe(1);
  expect(await page.locator('select[name=provider]').inputValue()).toBe('apns');
  await page.getByRole('button', { name: 'All' }).click();
  await page.locator('#log li').nth(3).waitFor();
  await page.locator('select[name=code]').selectOption('unknown_handle');
  await page.locator('#log li').nth(1).waitFor({ state: 'detached' });
  expect(await outcomes(page)).toEqual(['refused 404']);
  await page.goto(`${url}/admin/#now?status=expired`);
  await page.getByText('Nothing matches these filters.').waitFor();
});

test('tries again, sends a test push and releases a token', async () => {
  const { running, url } = await start();
  const device = await registerPhone(running, { user: 'bob', token: ANDROID_TOKEN });
  const page = await openPage({ url });
  page.on('dialog', (dialog) => dialog.accept());
  await search(page, device.id);
  await page.getByRole('button', { name: 'Send test push' }).click();
  await page.getByText(/^delivered by fcm: delivered after \d+ ms$/).waitFor();
  const fault = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  running.sandbox.script({ provider: 'fcm', times: 4, fault });
  await running.post(notifyPath(ANDROID_TOKEN), '{"template":"tx_confirmed","data":{"tx_id":"1"}}');
  await search(page, device.id);
  running.sandbox.clearFaults();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page
    .locator('#told')
    .filter({ hasText: /queued, (starts|under way)/ })
    .waitFor();
  await page.locator('.card .badge').filter({ hasText: 'delivered' }).nth(1).waitFor();
  const gone = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', fault: gone });
  await running.notify(ANDROID_TOKEN, '03'.repeat(32));
  await search(page, ANDROID_TOKEN);
  await page.getByRole('button', { name: 'Release' }).click();
  await page.locator('#told').filter({ hasText: 'released' }).waitFor();
  expect((await running.notify(ANDROID_TOKEN, '04'.repeat(32))).status).toBe(200);
});

test('a test push needs only the phone’s token', async () => {
  const { running, url } = await start();
  await running.notify(IOS_TOKEN, HASH);
  const page = await openPage({ url });
  page.on('dialog', (dialog) => dialog.accept());
  await search(page, IOS_TOKEN);
  await page.getByRole('button', { name: 'Send test push' }).click();
  await page.getByText(/^delivered by apns: delivered after \d+ ms$/).waitFor();
  expect(running.sandbox.received(IOS_TOKEN)).toHaveLength(2);
});

test('a key that may only read sees no buttons that change anything', async () => {
  const { running, url } = await start();
  const device = await registerPhone(running, { user: 'bob', token: ANDROID_TOKEN });
  const fault = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault });
  await running.post(notifyPath(ANDROID_TOKEN), '{"template":"tx_confirmed","data":{"tx_id":"1"}}');
  const changing = async (key: string) => {
    const page = await openPage({ url, key });
    const found: string[] = [];
    for (const view of [`#find?q=${device.id}`, `#devices?q=${device.id}`, '#callers', '#now']) {
      // Leave the page first: if only the fragment changes, the cards of the previous view are still there.
      await page.goto('about:blank');
      await page.goto(`${url}/admin/${view}`);
      await page.locator('.card').first().waitFor();
      found.push(...(await page.locator('[data-do]').allTextContents()));
      const text = await page.content();
      if (key !== PAGE_KEYS.register) expect(text).not.toContain(device.urls.notify);
    }
    await page.context().close();
    return new Set(found);
  };
  expect(await changing(PAGE_KEYS.read)).toEqual(new Set());
  expect(await changing(PAGE_KEYS.operate)).toEqual(new Set(['Try again', 'Send test push']));
  expect(await changing(PAGE_KEYS.register)).toEqual(new Set(['Revoke', 'Delete device']));
});

test('devices are found by user and by handle, and lose a door or all of them', async () => {
  const { running, url } = await start();
  const { id, urls } = await registerPhone(running, { user: 'bob', token: ANDROID_TOKEN });
  await registerPhone(running, { user: 'carol', token: `${ANDROID_TOKEN}2` });
  const path = new URL(urls.notify ?? '').pathname;
  const body = '{"template":"tx_confirmed","data":{"tx_id":"1"}}';
  await running.post(path, body);
  const page = await openPage({ url, path: '#devices' });
  page.on('dialog', (dialog) => dialog.accept());
  await page.locator('.card').nth(1).waitFor();
  for (const question of ['bob', urls.notify ?? '', path.slice(3)]) {
    await page.getByLabel('User, handle').fill(question);
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('.card').nth(1).waitFor({ state: 'detached' });
    await page.locator('.last').filter({ hasText: 'delivered' }).waitFor();
    expect(page.url()).toBe(`${url}/admin/#devices`);
  }
  await page.goto(`${url}/admin/#devices?q=${id}`);
  await page.locator('summary').click();
  await page.locator('.doors li').filter({ hasText: 'notify' }).getByText('Revoke').click();
  await page.locator('#told').filter({ hasText: 'revoked' }).waitFor();
  expect((await running.post(path, body)).status).toBe(404);
  await page.getByRole('button', { name: 'Delete device' }).click();
  await page.locator('#told').filter({ hasText: 'deleted' }).waitFor();
  await page.getByText('No device has this user').waitFor();
});

test('names the URLs to register, each with a command to try it', async () => {
  const { running, url } = await start({ proves: true });
  await Promise.all(running.service.proofs);
  const page = await openPage({ url, path: '#callers' });
  await page.getByText('Google accepts project').waitFor();
  await page.getByRole('button', { name: 'Copy curl' }).first().click();
  await page.getByText('Copied.').waitFor();
  const copied = await page.evaluate<string>('navigator.clipboard.readText()');
  expect(copied).toContain(
    "curl -i 'https://nds.example.com/api/v1/notify?platform=android&token=TOKEN'",
  );
  await page.getByText('https://nds.example.com/api/v1/lsps5/HANDLE', { exact: true }).waitFor();
});

test('arrows move through the rows, and Enter opens one', async () => {
  const { running, url } = await start();
  for (const hash of ['05', '06', '07']) await running.notify(ANDROID_TOKEN, hash.repeat(32));
  const page = await openPage({ url });
  await page.locator('#log li').nth(2).waitFor();
  await page.keyboard.press('/');
  expect(await page.evaluate<string>('document.activeElement?.id')).toBe('q');
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp'])
    await page.keyboard.press(key);
  const href = await page.locator('#log a.row').nth(1).getAttribute('href');
  expect(await page.evaluate<string>('document.activeElement?.getAttribute("href")')).toBe(href);
  await page.keyboard.press('Enter');
  await page.locator('.verdict').waitFor();
  expect(new URL(page.url()).hash).toBe(href);
});
