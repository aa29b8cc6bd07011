// What an operator does with endpoints on the page: tests one, stops it, sends events again, makes a new secret.

import type { Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { afterAll, expect, test } from 'vitest';
import { androidToken } from '../support/driven-service.ts';
import { headersOf, type Receiver, startReceiver } from '../support/event-receiver.ts';
import { PAGE_KEYS } from '../support/page-calls.ts';
import type { Setup } from '../support/service.ts';
import { addEndpoint, closeBrowser, openPage, start } from './browser.ts';

afterAll(closeBrowser);

async function startWithEndpoint() {
  const receiver = await startReceiver();
  const { running, url } = await start();
  const { id, secret } = await addEndpoint(running, {
    url: receiver.url,
    enabled_events: ['delivery.*'],
  });
  return { receiver, running, url, id, secret };
}

/** Records `delivery.unregistered`. */
async function lose({ sandbox, notify }: Setup, number: number): Promise<void> {
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  sandbox.script({ provider: 'fcm', times: 1, fault });
  await notify(androidToken(number), 'ab'.repeat(32));
}

function idsOf({ received }: Receiver): readonly unknown[] {
  return received.map(({ headers }) => headers['webhook-id']);
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name }).first().click();
}

test('tests an endpoint, stops it and starts it again, and shows the results', async () => {
  const { receiver, url } = await startWithEndpoint();
  const page = await openPage({ url, path: '#endpoints' });
  page.on('dialog', (dialog) => dialog.accept());
  await page.getByText('No call yet.').waitFor();
  await press(page, 'Test');
  await page.getByText(/^delivered, 200 after \d+ ms$/).waitFor();
  await page.locator('.attempts li').filter({ hasText: 'test.ping' }).waitFor();
  receiver.answer = (response) => response.writeHead(503).end();
  await press(page, 'Test');
  await page.getByText(/^failed, http 503 after \d+ ms$/).waitFor();
  expect(await page.locator('.attempts .badge').allTextContents()).toEqual(['failed', 'delivered']);
  await press(page, 'Disable');
  await page.locator('h2 .badge').filter({ hasText: 'disabled' }).waitFor();
  await press(page, 'Enable');
  await page.locator('h2 .badge').filter({ hasText: 'enabled' }).waitFor();
  expect(receiver.received).toHaveLength(2);
});

test('sends an event again, and goes back in time', async () => {
  const { receiver, running, url, id } = await startWithEndpoint();
  await lose(running, 1);
  await receiver.wait(1);
  await lose(running, 2);
  await receiver.wait(2);
  const [first, second] = idsOf(receiver);
  const page = await openPage({ url, path: `#endpoints?id=${id}` });
  page.on('dialog', (dialog) => dialog.accept());
  await page.locator('.attempts li').nth(1).getByRole('button', { name: 'Send again' }).click();
  await page.getByText(/^delivered, 200 after/).waitFor();
  expect(idsOf(receiver)).toEqual([first, second, first]);
  await page.getByLabel('Send again since').fill('noon');
  await press(page, 'Go back');
  // The browser says which values are valid.
  await page.locator('input[name=since]:invalid').waitFor();
  await page.getByLabel('Send again since').fill('2h');
  await page.keyboard.press('Enter');
  await page.locator('#told').filter({ hasText: 'rewound' }).waitFor();
  await receiver.wait(5);
  expect(idsOf(receiver).slice(3)).toEqual([first, second]);
  // The view shows new attempts by itself.
  await page.locator('main').focus();
  await page.locator('.attempts li').nth(4).waitFor();
  await page.getByRole('link', { name: 'All endpoints' }).click();
  await page.getByRole('link', { name: 'All endpoints' }).waitFor({ state: 'detached' });
});

test('shows a new secret once, with which the next event can be verified', async () => {
  const { receiver, url, secret } = await startWithEndpoint();
  const page = await openPage({ url, path: '#endpoints' });
  page.on('dialog', (dialog) => dialog.accept());
  await press(page, 'New secret');
  await page.locator('#told').getByRole('button', { name: 'Copy' }).click();
  await page.getByText('Copied.').waitFor();
  const copied = await page.evaluate<string>('navigator.clipboard.readText()');
  expect(copied).not.toBe(secret);
  expect(await page.content()).not.toContain('whsec_');
  await press(page, 'Test');
  const [ping] = await receiver.wait(1);
  expect(new Webhook(copied).verify(ping?.raw ?? '', headersOf(ping))).toEqual(ping?.event);
  await page.reload();
  await page.locator('.card').first().waitFor();
  expect(await page.content()).not.toContain('whsec_');
});

test('a key that may only read sees what happens, without buttons and without the whole address', async () => {
  const { receiver, running, url } = await startWithEndpoint();
  await lose(running, 1);
  await receiver.wait(1);
  const page = await openPage({ url, path: '#endpoints', key: PAGE_KEYS.read });
  await page.locator('.attempts li').filter({ hasText: 'delivery.unregistered' }).waitFor();
  expect(await page.locator('main button, main form').count()).toBe(0);
  await page.getByText(`${new URL(receiver.url).origin}/…`).waitFor();
});
