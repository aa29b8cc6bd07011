// The page's view of endpoints: what each key sees of it, and the warnings of an endpoint that fails, in virtual time.

import { expect, test } from 'vitest';
import { attemptsAnswer, endpointAnswer } from '../../../src/http/operator/endpoints.ts';
import { problemOf, refusalOf } from '../../support/callers.ts';
import { DAY, HOUR, MINUTE } from '../../support/driven-service.ts';
import { startReceiver } from '../../support/event-receiver.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { operate, told } from '../../support/operator-calls.ts';
import { callPage, PAGE_ENVIRONMENT, PAGE_KEYS, sessionWith } from '../../support/page-calls.ts';
import { ANDROID_TOKEN, setup } from '../../support/service.ts';

async function start() {
  const clock = new ManualClock();
  const receiver = await startReceiver();
  const environment = { ...PAGE_ENVIRONMENT, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' };
  const running = await setup({ clock, environment });
  const body = {
    url: `${receiver.url}?key=hidden`,
    enabled_events: ['delivery.*'],
    description: 'the backend',
  };
  const made = await operate(running, { method: 'POST', path: '/endpoints', body });
  const { id } = endpointAnswer.parse(told(made));
  const attempts = async () => {
    const answer = await operate(running, { path: `/endpoints/${id}/attempts` });
    return attemptsAnswer.parse(told(answer)).attempts;
  };
  /** Resolves when this many calls were made and recorded. */
  const noted = async (count: number) => {
    await receiver.wait(count);
    while ((await attempts()).length < count);
  };
  const view = async (key: string, path = '/view/endpoints') => {
    const { text } = await callPage(running, { path, cookie: await sessionWith(running, key) });
    return text;
  };
  /** Records `delivery.unregistered`, and nudges the endpoint. */
  const lose = async () => {
    const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
    running.sandbox.script({ provider: 'fcm', times: 1, fault });
    await running.notify(ANDROID_TOKEN, 'ab'.repeat(32));
    await running.service.settled();
    clock.advance(200);
  };
  return { clock, receiver, running, id, noted, view, lose };
}

/** The possible actions, as the method and path of each button or form. */
function actionsIn(html: string): readonly string[] {
  const found = html.matchAll(/data-do="([A-Z]+)" data-path="([^"]+)"/g);
  return [...found].map(([, method, path]) => `${method} ${path}`);
}

test('shows where events are sent, which ones, and how well that works', async () => {
  const { view, running, id, lose, noted } = await start();
  await lose();
  await noted(1);
  await operate(running, { method: 'POST', path: `/endpoints/${id}/test` });
  const html = await view(PAGE_KEYS.endpoints);
  for (const shown of [id, '?key=hidden', '<dd>delivery.*</dd>', '<dd>the backend</dd>']) {
    expect(html).toContain(shown);
  }
  expect(html).toMatch(/<b class="badge good">enabled<\/b>/);
  // Newest first; a test event is in no table, and cannot be sent again.
  expect(html).toMatch(/test\.ping<.*\n?.*delivery\.unregistered</s);
  expect(actionsIn(html)).toEqual([
    `POST endpoints/${id}/test`,
    `PATCH endpoints/${id}`,
    `POST endpoints/${id}/secret/rotate`,
    `POST endpoints/${id}/redeliver`,
    `POST endpoints/${id}/redeliver`,
  ]);
  expect(html).not.toContain('whsec_');
  expect(await view(PAGE_KEYS.endpoints, `/view/endpoints?id=${id}`)).toContain(
    'delivery.unregistered',
  );
});

test('a key without `endpoints` sees neither buttons nor the whole address', async () => {
  const { view, lose, noted, receiver, id } = await start();
  await lose();
  await noted(1);
  for (const key of [PAGE_KEYS.read, PAGE_KEYS.operate, PAGE_KEYS.register]) {
    const html = await view(key);
    expect(actionsIn(html)).toEqual([]);
    expect(html).not.toMatch(/<button|<form|hidden|hooks/);
    expect(html).toContain(`${new URL(receiver.url).origin}/…`);
    expect(html).toContain(id);
    expect(html).toContain('delivery.unregistered');
  }
});

test('an unknown endpoint and a malformed question are refused', async () => {
  const { running } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.read);
  const ask = (query: string) => callPage(running, { path: `/view/endpoints?${query}`, cookie });
  expect(refusalOf(await ask('id=ep_none'))).toBe('404 unknown_endpoint');
  expect(problemOf(await ask('id=')).errors).toMatchObject([{ field: 'id' }]);
});

test('warns of a failing endpoint after an hour, a day and three days, and disables it after five', async () => {
  const { clock, receiver, view, lose, noted, id } = await start();
  receiver.answer = (response) => response.writeHead(503).end();
  const now = () => view(PAGE_KEYS.read, '/view/now');
  await lose();
  await noted(1);
  const failing = await view(PAGE_KEYS.read);
  expect(failing).toContain('<b class="badge bad">failing</b>');
  expect(failing).toMatch(/<dt>failing since<\/dt><dd><time datetime="2025-08-01T12:00:00/);
  expect(failing).toMatch(/<dt>given up at<\/dt><dd><time datetime="2025-08-06T12:00:00/);
  expect(await now()).not.toContain(id);
  const spans = [
    [59 * MINUTE, undefined],
    [2 * MINUTE, 'has taken no event for 1 h: http_503'],
    [DAY - HOUR, 'has taken no event for 24 h: http_503'],
    [2 * DAY, 'has taken no event for 72 h: http_503'],
    [2 * DAY, 'is disabled: it failed for five days'],
  ] as const;
  for (const [index, [ms, words]] of spans.entries()) {
    clock.advance(ms);
    await noted(index + 2);
    if (words === undefined) expect(await now()).not.toContain(id);
    else {
      expect(await now()).toContain(`<b class="badge wait">degraded</b> endpoint ${id}: ${words}`);
      expect(await view(PAGE_KEYS.read)).toContain(`<p class="trouble">It ${words}.</p>`);
    }
  }
  expect(await view(PAGE_KEYS.read)).toContain('<b class="badge bad">disabled</b>');
  expect(await view(PAGE_KEYS.endpoints)).toContain('>Enable</button>');
});

test('does not warn of an endpoint that was disabled by hand', async () => {
  const { running, id, view } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.endpoints);
  const path = `/api/v1/endpoints/${id}`;
  const body = { status: 'disabled' };
  expect((await callPage(running, { method: 'PATCH', path, body, cookie })).status).toBe(200);
  const html = await view(PAGE_KEYS.read);
  expect(html).toContain('<b class="badge dull">disabled</b>');
  expect(html).toContain('<dt>disabled</dt><dd>by hand</dd>');
  expect(html).not.toContain('trouble');
});

test('an e-mail endpoint has a digest, and no controls for a secret or for events of the table', async () => {
  const clock = new ManualClock();
  const environment = {
    ...PAGE_ENVIRONMENT,
    NDS_SMTP_URL: 'smtp://127.0.0.1:9',
    NDS_SMTP_FROM: 'nds@vendor.example',
  };
  const running = await setup({ clock, environment });
  const body = { email: 'ops@vendor.example', digest: 'hourly' };
  const made = await operate(running, { method: 'POST', path: '/endpoints', body });
  const { id } = endpointAnswer.parse(told(made));
  await operate(running, { method: 'POST', path: `/endpoints/${id}/test` });
  const view = async (key: string) => {
    const cookie = await sessionWith(running, key);
    return (await callPage(running, { path: '/view/endpoints', cookie })).text;
  };
  const html = await view(PAGE_KEYS.endpoints);
  expect(html).toContain('<dt>address</dt><dd>ops@vendor.example</dd>');
  expect(html).toContain('<dt>digest</dt><dd>hourly</dd>');
  expect(html).toContain('connection_refused');
  expect(actionsIn(html)).toEqual([`POST endpoints/${id}/test`, `PATCH endpoints/${id}`]);
  const read = await view(PAGE_KEYS.read);
  expect(read).toContain('<dt>address</dt><dd>…@vendor.example</dd>');
  expect(read).not.toContain('ops@');
});
