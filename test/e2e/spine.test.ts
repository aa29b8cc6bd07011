// The way of a push under real protocols: a locked database, connections that stay open, lifetimes and ids as the
// phones' providers see them.

import { Agent, request } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { askPhone, reply, send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const LOCKED_MS = 200;
const PUSHES = 2_000;
const PHONES = 50;
const AT_ONCE = 50;
/** For a busy machine; on an idle one it takes a few seconds. */
const PATIENCE_MS = 90_000;

/** The answer for a push that is in the log. */
const accepted = z.strictObject({ id: z.string(), status: z.string() });

function payment(hash: string): string {
  return JSON.stringify({ template: 'payment_received', data: { payment_hash: hash } });
}

test('pushes while another process holds the database’s write lock, and logs it afterwards', async () => {
  // The faster the service, the more calls for one token are made in that time.
  const running = await setup({ environment: { NDS_TOKEN_RATE: '10000/1000' } });
  const { sandbox, service, environment } = running;
  await service.reach;
  const locker = new Database(environment.NDS_DATABASE ?? '');
  const answers: Promise<Response>[] = [];
  locker.exec('BEGIN IMMEDIATE');
  const lockedAtMs = performance.now();
  do {
    answers.push(running.notify(ANDROID_TOKEN, `locked ${answers.length}`));
    await sandbox.waitFor(() => true, answers.length);
    await turn();
  } while (performance.now() - lockedAtMs < LOCKED_MS || answers.length < 20);
  expect(await service.store.findDeliveries({ limit: 1_000 })).toEqual([]);
  locker.exec('COMMIT');
  locker.close();

  for (const answer of answers) {
    expect(accepted.parse(await (await answer).json())).toMatchObject({ status: 'delivered' });
  }
  await service.settled();
  const rows = await service.store.findDeliveries({ limit: 1_000 });
  expect(rows).toHaveLength(answers.length);
  expect(new Set(rows.map((row) => row.status))).toEqual(new Set(['delivered']));
  expect(service.readiness().ready).toBe(true);
});

test('keeps idle connections longer than Go’s client does, and says so', async () => {
  const running = await setup();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  for (const [body, status] of [
    [payment('first'), 200],
    ['{}', 400],
    [payment('second'), 200],
  ] as const) {
    const answer = await overAgent(running, agent, body);
    expect(answer.status).toBe(status);
    // Node makes this header from the timeout with which it closes idle connections. Go's client drops connections
    // after 90 s, so one that was idle for 80 s is still used.
    expect([answer.connection, answer.keepAlive]).toEqual(['keep-alive', 'timeout=95']);
    ports.add(answer.port);
  }
  expect(ports.size).toBe(1);
  agent.destroy();
});

interface KeptAnswer {
  readonly status: number | undefined;
  readonly connection: string | undefined;
  readonly keepAlive: string | undefined;
  /** The caller's own port: the same port means the same connection. */
  readonly port: number;
}

function overAgent(running: Setup, agent: Agent, body: string): Promise<KeptAnswer> {
  const { hostname, port } = new URL(running.service.url);
  const path = notifyPath(ANDROID_TOKEN);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method: 'POST', path, agent }, (response) => {
      const { connection, 'keep-alive': keepAlive } = response.headers;
      const own = outgoing.socket?.localPort ?? 0;
      response.resume();
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          connection,
          keepAlive: keepAlive === undefined ? undefined : String(keepAlive),
          port: own,
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const CONNECTIONS =
  'sends thousands of pushes over one HTTP/2 connection to Apple and a few to Google';

test(CONNECTIONS, { timeout: PATIENCE_MS }, async () => {
  const running = await setup({ sandbox: { keepPushes: 0, keepRequests: 0 } });
  const { sandbox, service } = running;
  await service.reach;
  // A token that never worked uses another connection, since Apple closes connections that get many bad ones.
  const apple = Array.from({ length: PHONES }, (_, phone) => `${phone + 16}`.padStart(64, 'a'));
  const google = Array.from({ length: PHONES }, (_, phone) => `phone-${phone}:APA91b`);
  await notifyAll(running, apple, PHONES);
  await notifyAll(running, google, PHONES);
  await notifyAll(running, apple, PUSHES);
  await notifyAll(running, google, PUSHES);
  const connections = sandbox.connections();
  expect(connections.apns.opened).toBeLessThanOrEqual(2);
  expect(connections.fcm.opened).toBeLessThanOrEqual(4);
  const busiest = Math.max(...connections.apns.perConnection.map((one) => one.requests));
  expect(busiest).toBeGreaterThanOrEqual(PUSHES);
  expect(connections.apns.perConnection.every(({ open }) => open)).toBe(true);
  expect(sandbox.stats().pushes).toBe(2 * (PHONES + PUSHES));
});

/** Sends this many new notifications, to these phones in turn. */
async function notifyAll(running: Setup, tokens: readonly string[], count: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      const token = tokens[index % tokens.length] ?? '';
      const answer = await running.notify(token, `${count} ${token} ${index}`);
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`push ${index}: ${answer.status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const REPLY_URL = 'https://lnurl.example.com/response/1';

/** How many seconds each type is useful, and a body of this type. */
const LIFETIMES: readonly (readonly [string, number, Record<string, unknown>])[] = [
  ['payment_received', 60, { template: 'payment_received', data: { payment_hash: 'a' } }],
  ['tx_confirmed', 86_400, { template: 'tx_confirmed', data: { tx_id: 'a' } }],
  ['address_txs_confirmed', 86_400, { template: 'address_txs_confirmed', data: { address: 'a' } }],
  [
    'lnurlpay_info',
    30,
    { template: 'lnurlpay_info', data: { callback_url: 'a', reply_url: REPLY_URL } },
  ],
  [
    'lnurlpay_invoice',
    30,
    { template: 'lnurlpay_invoice', data: { amount: 1, reply_url: REPLY_URL } },
  ],
  [
    'lnurlpay_verify',
    30,
    { template: 'lnurlpay_verify', data: { payment_hash: 'a', reply_url: REPLY_URL } },
  ],
  ['nwc_event', 60, { template: 'nwc_event', data: { event: '{}' } }],
  ['swap_updated', 86_400, { event: 'swap.update', data: { id: 'a', status: 'b' } }],
];

test('tells both providers how long to keep each type', async () => {
  const clock = new ManualClock(1_760_000_000_400);
  const running = await setup({ clock });
  for (const [type, seconds, body] of LIFETIMES) {
    await expectLifetime(running, { type, seconds, at: 1_760_000_000 }, async (token) => {
      await send(running.service.url, { path: notifyPath(token), body: JSON.stringify(body) });
    });
  }
  const question = { type: 'invoice_request', seconds: 50, at: 1_760_000_000 };
  await expectLifetime(running, question, async (token) => {
    const before = running.sandbox.received().length;
    const asked = askPhone(running, { token, request: 'lifetime' });
    const pushes = await running.sandbox.waitFor(() => true, before + 1);
    await reply(running, pushes.at(-1), '{}');
    await asked.answer;
  });
});

test('lets the vendor choose another lifetime and title for a type', async () => {
  const running = await setup({
    clock: new ManualClock(1_760_000_000_000),
    environment: {
      NDS_LIFETIMES: 'payment_received=20s',
      NDS_TITLES: '{"payment_received":"Zahlung kommt an ⚡"}',
    },
  });
  const question = { type: 'payment_received', seconds: 20, at: 1_760_000_000 };
  await expectLifetime(running, question, async (token) => {
    await running.notify(token, 'own lifetime');
  });
  expect(running.sandbox.received(IOS_TOKEN)[0]?.title).toBe('Zahlung kommt an ⚡');
});

/** Both phones get the type, and their providers get its end. */
async function expectLifetime(
  running: Setup,
  { type, seconds, at }: { readonly type: string; readonly seconds: number; readonly at: number },
  wake: (token: string) => Promise<void>,
): Promise<void> {
  await wake(IOS_TOKEN);
  const apple = running.sandbox.received().at(-1);
  expect(apple?.data.notification_type).toBe(type);
  expect(apple?.apns?.expiration, type).toBe(at + seconds);
  await wake(ANDROID_TOKEN);
  const google = running.sandbox.received().at(-1);
  expect(google?.data.notification_type).toBe(type);
  expect(google?.fcm?.ttl, type).toBe(`${seconds}s`);
}

test('keeps one id through answer, log, apns-id and collapse id, also for a second try', async () => {
  const running = await setup();
  const { sandbox, service } = running;
  // The push arrived, but the answer did not: only by the ids can the phone tell that the second is the same.
  sandbox.script({ token: IOS_TOKEN, fault: { kind: 'reset', scope: 'stream', accepted: true } });
  const answer = await running.notify(IOS_TOKEN, 'uncertain');
  const { id } = accepted.parse(await answer.json());
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const pushes = sandbox.received(IOS_TOKEN);
  expect(pushes.map((push) => push.apns?.id)).toEqual([id, id]);
  expect(pushes.map((push) => push.apns?.collapseId)).toEqual([id, id]);
  expect(pushes.map((push) => push.apns?.expiration)).toEqual([
    pushes[0]?.apns?.expiration,
    pushes[0]?.apns?.expiration,
  ]);
  await service.settled();
  const [row] = await service.store.findDeliveries({ id, limit: 1 });
  expect(row?.attempts.map((attempt) => attempt.outcome)).toEqual(['retry', 'delivered']);

  const other = accepted.parse(await (await running.notify(IOS_TOKEN, 'another')).json());
  expect(other.id).not.toBe(id);
  await running.notify(ANDROID_TOKEN, 'android');
  const [android] = sandbox.received(ANDROID_TOKEN);
  expect(android?.fcm?.message.android).not.toHaveProperty('collapse_key');
});
