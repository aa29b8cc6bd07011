// E-mail endpoints when mails are not taken, when the store fails, and when other endpoints fail.

import { expect, test } from 'vitest';
import type { MailResult } from '../../../src/core/ports/events.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { sampleEndpoint } from '../../support/endpoints.ts';
import {
  DAY,
  HOUR,
  kinds,
  MAIL_TAKEN,
  MINUTE,
  setupMailOutbox,
} from '../../support/mail-outbox.ts';

const files = useFiles();
const setup = (changes: Parameters<typeof setupMailOutbox>[1] = {}) =>
  setupMailOutbox(files, changes);
const DOWN: MailResult = { verdict: 'failed', reason: 'connection_refused' };

test('repeats a failed mail by the schedule, reports it once, and loses nothing', async () => {
  const running = await setup();
  const { clock, look, down, state, sent, told, events } = running;
  state.answer = DOWN;
  await down();
  await look();
  for (const gapMs of [5_000, 10_000, 20_000]) {
    clock.advance(gapMs - 1);
    await look();
    const before = sent.length;
    clock.advance(1);
    await look();
    expect(sent.length).toBe(before + 1);
  }
  expect(told.filter(({ name }) => name === 'mail_failed')).toEqual([
    { name: 'mail_failed', endpointId: 'ep_mail', reason: 'connection_refused', status: undefined },
  ]);
  expect(running.outbox.reason).toBe('connection_refused');
  await down({ provider: 'apns' });
  state.answer = MAIL_TAKEN;
  clock.advance(40_000);
  await look();
  expect(kinds(running).at(-1)).toBe('provider.down+provider.down');
  expect(running.outbox).toMatchObject({
    reason: undefined,
    progress: { failingSinceMs: undefined },
  });
  const attempts = await events.listAttempts({ endpointId: 'ep_mail', limit: 9 });
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    ...['delivered', 'delivered', 'failed', 'failed', 'failed', 'failed'],
  ]);
  expect(attempts[5]).toMatchObject({ type: 'provider.down', reason: 'connection_refused' });
});

test('skips a mail that was refused permanently three times, and for a digest its counts, too', async () => {
  const running = await setup();
  const { clock, look, expire, state, sent, events } = running;
  state.answer = { verdict: 'refused', status: 550, reason: 'recipient_refused' };
  await expire(1);
  clock.advance(DAY);
  for (const gapMs of [0, 5_000, 10_000, 20_000]) {
    clock.advance(gapMs);
    await look();
  }
  expect(sent).toHaveLength(3);
  expect(await events.readDigest('ep_mail')).toEqual([]);
  const attempts = await events.listAttempts({ endpointId: 'ep_mail', limit: 9 });
  expect(attempts.map(({ outcome, status }) => [outcome, status])).toEqual([
    ...[
      ['skipped', 550],
      ['failed', 550],
      ['failed', 550],
    ],
  ]);
});

test('is disabled after five days without a success, and keeps its counts', async () => {
  const running = await setup();
  const { clock, look, expire, state, told, events } = running;
  state.answer = DOWN;
  await expire(1);
  for (let hour = 0; running.outbox.endpoint.status === 'enabled' && hour < 200; hour += 1) {
    clock.advance(HOUR);
    await look();
  }
  expect(running.outbox.endpoint).toMatchObject({ status: 'disabled', disabledReason: 'failing' });
  expect(told.filter(({ name }) => name === 'endpoint_failing')).toHaveLength(3);
  expect(await events.readDigest('ep_mail')).toMatchObject([{ count: 1 }]);
  const [stored] = await events.listEndpoints();
  expect(stored?.endpoint.status).toBe('disabled');
});

test('mails about a store that fails from memory, once an hour, and not about one that works again', async () => {
  const running = await setup();
  const { clock, look, state, outbox } = running;
  const sick = { type: 'mail.store_failed', reason: 'full' } as const;
  const tell = (reason: string) => outbox.tell({ ...sick, reason, atMs: clock.wallMs() });
  /** The store is asked again every five seconds. */
  const pass = async (ms: number) => {
    clock.advance(ms);
    await look();
    clock.advance(5_000);
    await look();
  };
  state.isSick = true;
  tell('full');
  await look();
  expect(running.sent.map(({ mail }) => mail)).toMatchObject([{ troubles: [sick] }]);
  await pass(10 * MINUTE);
  tell('full');
  tell('corrupt');
  await pass(0);
  expect(running.sent).toHaveLength(2);
  await pass(50 * MINUTE);
  expect(running.sent).toHaveLength(3);
  tell('full');
  outbox.storeRecovered();
  await pass(2 * HOUR);
  expect(kinds(running)).toEqual(Array.from({ length: 3 }, () => 'mail.store_failed'));
});

test('does not mail a digest twice because the store could not record the first one', async () => {
  const running = await setup({ digest: 'hourly' });
  const { clock, look, state, expire } = running;
  await expire(1);
  clock.advance(HOUR + MINUTE);
  state.isReadOnly = true;
  await look();
  state.isReadOnly = false;
  clock.advance(HOUR);
  await look();
  clock.advance(5_000);
  await look();
  expect(kinds(running)).toEqual(['digest']);
});

test('logs a bug with its stack, and continues after a minute', async () => {
  const running = await setup();
  const { clock, look, down, state, told } = running;
  state.fault = new TypeError('of our own');
  await down();
  await look();
  const where = { name: 'internal_fault', where: 'endpoint', cause: state.fault };
  expect(told).toEqual([where]);
  state.fault = undefined;
  clock.advance(MINUTE);
  await look();
  expect(kinds(running)).toEqual(['provider.down']);
});

test('waits longer each time while store and mail server fail together', async () => {
  const running = await setup();
  const { clock, look, state, outbox, sent } = running;
  state.isSick = true;
  state.answer = DOWN;
  outbox.tell({ type: 'mail.store_failed', reason: 'io', atMs: clock.wallMs() });
  for (let second = 0; second < 60; second += 1) {
    await look();
    clock.advance(1_000);
  }
  expect(sent).toHaveLength(4);
});

test('mails about another endpoint that fails or was disabled to those who asked for it', async () => {
  const running = await setup({ app: 'default', enabledEvents: ['endpoint.*'] });
  const { clock, look, outbox, events } = running;
  const failing = { type: 'mail.endpoint_failing', endpointId: 'ep_a' } as const;
  const times = { atMs: clock.wallMs(), failingForMs: HOUR };
  outbox.tell({ ...failing, ...times, app: 'other' });
  await look();
  expect(running.sent).toEqual([]);
  outbox.tell({ ...failing, ...times, reason: 'http_500' });
  await look();
  await events.putEndpoint(sampleEndpoint());
  await events.noteAttempt({
    endpointId: 'ep_a',
    disabledReason: 'gone',
    attempt: { eventId: 'evt_a', type: 'test.ping', latencyMs: 1, outcome: 'failed', ...times },
  });
  await look();
  expect(kinds(running)).toEqual(['mail.endpoint_failing', 'endpoint.disabled']);
});
