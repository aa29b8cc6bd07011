// The page of several machines, one of which answers: events of the other machines do not reach that machine's stream.

import { afterAll, expect, test } from 'vitest';
import { renderMachines } from '../../src/http/admin/views/machines-view.ts';
import { closeBrowser, openPage, start } from './browser.ts';

afterAll(closeBrowser);

const MACHINE = { startedAtMs: 1_795_000_000_000, silentForMs: 400, deliveries: 0, outages: [] };

test('the list is polled although the stream is open but silent, if there are several machines', async () => {
  const { url } = await start();
  const page = await openPage({ url });
  await page.getByText('live', { exact: true }).waitFor();
  expect(await page.locator('#machines').count()).toBe(0);
  const machines = ['one', 'other'].map((id) => ({ ...MACHINE, id }));
  const here = { id: 'one', isReady: true };
  const section = String(await renderMachines({ all: machines, here }));
  await page.route('**/view/now', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${await response.text()}${section}` });
  });
  await page.reload();
  await page.getByText('one (answers now)').waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  // More requests than the start of the stream and its one later look cause.
  for (let looks = 0; looks < 4; looks += 1) await page.waitForRequest(/view\/log/);
  expect(await page.locator('#live').textContent()).toBe('live');
  // A request that is under way would fail when the browser closes.
  await page.unrouteAll({ behavior: 'wait' });
});
