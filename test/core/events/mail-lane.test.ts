// An e-mail endpoint's way: alerts, digests, failures, on a real store and in virtual time.

import { expect, test } from 'vitest';
import { MailLane } from '../../../src/core/events/mail-lane.ts';
import type { EventStore, Mail, MailResult, MailSender } from '../../../src/core/ports/events.ts';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import type { Outage } from '../../../src/core/ports/records.ts';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import { accept, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { sampleEmailEndpoint, sampleEndpoint } from '../../support/endpoints.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const { newFile, open } = useFiles();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const OK: MailResult = { verdict: 'delivered', status: 250 };
const DOWN: MailResult = { verdict: 'failed', reason: 'connection_refused' };
const FCM = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;

async function setup(changes: Parameters<typeof sampleEmailEndpoint>[0] = {}) {
  const clock = new ManualClock();
  const opened = await open(newFile());
  const { events, records, store: log } = opened;
  const sent: { readonly id: string; readonly mail: Mail }[] = [];
  const told: ServiceEvent[] = [];
  const state = { answer: OK, isSick: false, isReadOnly: false };
  const mail: MailSender = {
    fault: undefined,
    send: async ({ id, mail }) => {
      sent.push({ id, mail });
      return state.answer;
    },
    close: () => undefined,
  };
  const store: EventStore = new Proxy(events, {
    get: (target, name: keyof EventStore) => {
      const isRefused = state.isSick || (state.isReadOnly && name === 'noteAttempt');
      if (!isRefused) return target[name];
      return () => Promise.reject(new StoreUnavailableError('full'));
    },
  });
  const observer = { observe: (event: ServiceEvent) => void told.push(event) };
  const parts = { clock, ids: { fraction: () => 0.5 }, store, mail, observer };
  const endpoint = sampleEmailEndpoint({ createdAtMs: clock.wallMs(), ...changes });
  let lane = new MailLane(parts, await events.putEndpoint(endpoint));
  const idle = async () => {
    for (let turns = 0; turns < 6; turns += 1) {
      await log.probe();
      await events.findEvent('none');
    }
  };
  let number = 0;
  return {
    ...{ clock, events, records, sent, told, state, idle, log },
    get lane() {
      return lane;
    },
    /** What happens every ten seconds. */
    look: async () => {
      lane.nudge();
      await idle();
    },
    restart: async () => {
      lane.stop();
      const [stored] = await events.listEndpoints();
      if (stored !== undefined) lane = new MailLane(parts, stored);
    },
    down: async (outage: Partial<Outage> = {}): Promise<Outage> => {
      const begun = { ...FCM, beganAtMs: clock.wallMs(), ...outage };
      await records.recordOutage(begun);
      return begun;
    },
    up: (outage: Outage) => records.recordOutage({ ...outage, endedAtMs: clock.wallMs() }),
    expire: async (count: number, reason = 'timeout') => {
      for (let left = count; left > 0; left -= 1) {
        number += 1;
        const delivery = sampleDelivery(number);
        await log.insert(accept(delivery));
        const next = { status: 'expired', reason } as const;
        await log.settle(settlement(delivery, next, { wallMs: clock.wallMs() }));
      }
    },
  };
}

type Running = Awaited<ReturnType<typeof setup>>;

function kinds({ sent }: Running): readonly string[] {
  return sent.map(({ mail }) =>
    mail.kind === 'alert' ? mail.troubles.map(({ type }) => type).join('+') : mail.kind,
  );
}

function countsIn({ sent }: Running, at: number): readonly string[] {
  const mail = sent.at(at)?.mail;
  if (mail?.kind !== 'digest') return [];
  return mail.counts.map(({ type, reason, count }) => `${type} ${reason} ${count}`);
}

test('tells of troubles at once, several in one mail, and of everything in a digest at midnight', async () => {
  const running = await setup();
  const { clock, look, down, expire } = running;
  await down();
  await down({ provider: 'apns', isMisconfigured: true });
  await expire(2);
  await look();
  expect(kinds(running)).toEqual(['provider.down+provider.misconfigured']);
  await expire(1, 'internal_error');
  clock.advance(12 * HOUR + MINUTE - 1);
  await look();
  expect(running.sent).toHaveLength(1);
  clock.advance(1);
  await look();
  expect(kinds(running).slice(1)).toEqual(['digest']);
  expect(countsIn(running, 1)).toEqual([
    'delivery.expired timeout 2',
    'delivery.expired internal_error 1',
    'provider.down timeout 1',
    'provider.misconfigured timeout 1',
  ]);
  clock.advance(DAY);
  await look();
  expect(running.sent).toHaveLength(2);
});

test('sends a digest each hour to one who asked for that, and only what is new', async () => {
  const running = await setup({ digest: 'hourly', enabledEvents: ['delivery.*'] });
  const { clock, look, expire, down } = running;
  await expire(1);
  await down();
  clock.advance(HOUR + MINUTE);
  await look();
  await look();
  await expire(2);
  clock.advance(HOUR);
  await look();
  expect(kinds(running)).toEqual(['digest', 'digest']);
  expect(countsIn(running, 0)).toEqual(['delivery.expired timeout 1']);
  expect(countsIn(running, 1)).toEqual(['delivery.expired timeout 2']);
});

test('tells of the same trouble once an hour, and again at its end only if it lasts', async () => {
  const running = await setup();
  const { clock, look, down, up } = running;
  await up(await down());
  await look();
  clock.advance(20 * MINUTE);
  const second = await down();
  await look();
  clock.advance(20 * MINUTE);
  await up(second);
  await look();
  clock.advance(30 * MINUTE);
  await look();
  expect(kinds(running)).toEqual(['provider.down']);

  await down();
  await look();
  expect(running.sent).toHaveLength(2);
  clock.advance(MINUTE);
  const lasting = await down({ reason: 'http_503' });
  await look();
  clock.advance(HOUR - 2 * MINUTE);
  await look();
  expect(running.sent).toHaveLength(2);
  clock.advance(MINUTE);
  await look();
  expect(running.sent.at(-1)?.mail).toMatchObject({
    troubles: [{ reason: 'http_503', atMs: lasting.beganAtMs }],
  });
  clock.advance(2 * HOUR);
  await look();
  expect(kinds(running).filter((kind) => kind !== 'digest')).toHaveLength(3);
});

test('a restart neither loses nor repeats what was sent', async () => {
  const running = await setup();
  const { clock, look, down, up, expire, restart } = running;
  await up(await down());
  await look();
  await restart();
  await look();
  clock.advance(10 * MINUTE);
  await up(await down());
  await restart();
  await look();
  expect(kinds(running)).toEqual(['provider.down']);
  clock.advance(HOUR);
  await down();
  await expire(3);
  await restart();
  await look();
  expect(kinds(running)).toEqual(['provider.down', 'provider.down']);

  clock.advance(DAY);
  await restart();
  await look();
  await restart();
  await look();
  expect(kinds(running).slice(2)).toEqual(['digest']);
  expect(countsIn(running, -1)).toContain('delivery.expired timeout 3');
});

test('sends one small digest with exact counts when far more happened than is kept', async () => {
  const running = await setup({ enabledEvents: ['delivery.*'] });
  const { clock, look, expire, events } = running;
  await expire(600);
  while ((await events.pruneEvents({ beforeMs: clock.wallMs() + 1, limit: 500 })) > 0);
  await expire(5);
  const next = await events.nextEvents({ endpointId: 'ep_mail', afterRowId: 0, limit: 1_000 });
  expect(next).toMatchObject({ events: { length: 5 }, dropped: undefined });
  clock.advance(DAY);
  await look();
  expect(countsIn(running, 0)).toEqual(['delivery.expired timeout 605']);
  expect(running.sent).toHaveLength(1);
});

test('counts reasons beyond two hundred as others', async () => {
  const running = await setup({ enabledEvents: ['delivery.*'] });
  const { clock, look, expire, sent } = running;
  for (let number = 0; number < 210; number += 1) await expire(1, `reason_${number}`);
  clock.advance(DAY);
  await look();
  const mail = sent[0]?.mail;
  const counts = mail?.kind === 'digest' ? mail.counts : [];
  expect(counts).toHaveLength(201);
  expect(counts[0]).toMatchObject({ reason: 'other', count: 10 });
});

test('repeats a mail that fails by the schedule, says so once, and loses nothing', async () => {
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
  expect(running.lane.reason).toBe('connection_refused');
  await down({ provider: 'apns' });
  state.answer = OK;
  clock.advance(40_000);
  await look();
  expect(kinds(running).at(-1)).toBe('provider.down+provider.down');
  expect(running.lane).toMatchObject({
    reason: undefined,
    progress: { failingSinceMs: undefined },
  });
  const attempts = await events.listAttempts({ endpointId: 'ep_mail', limit: 9 });
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    ...['delivered', 'delivered', 'failed', 'failed', 'failed', 'failed'],
  ]);
  expect(attempts[5]).toMatchObject({ type: 'provider.down', reason: 'connection_refused' });
});

test('skips a mail that was refused for good three times, a digest with what it told', async () => {
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
  for (let hour = 0; running.lane.endpoint.status === 'enabled' && hour < 200; hour += 1) {
    clock.advance(HOUR);
    await look();
  }
  expect(running.lane.endpoint).toMatchObject({ status: 'disabled', disabledReason: 'failing' });
  expect(told.filter(({ name }) => name === 'endpoint_failing')).toHaveLength(3);
  expect(await events.readDigest('ep_mail')).toMatchObject([{ count: 1 }]);
  const [stored] = await events.listEndpoints();
  expect(stored?.endpoint.status).toBe('disabled');
});

test('tells of a store that fails from memory, once an hour, and not of one that works again', async () => {
  const running = await setup();
  const { clock, look, state, lane } = running;
  const sick = { type: 'mail.store_failed', reason: 'full' } as const;
  const tell = (reason: string) => lane.tell({ ...sick, reason, atMs: clock.wallMs() });
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
  lane.storeRecovered();
  await pass(2 * HOUR);
  expect(kinds(running)).toEqual(Array.from({ length: 3 }, () => 'mail.store_failed'));
});

test('does not tell a digest twice because the store could not note the first one', async () => {
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

test('waits longer each time while store and mail server fail together', async () => {
  const running = await setup();
  const { clock, look, state, lane, sent } = running;
  state.isSick = true;
  state.answer = DOWN;
  lane.tell({ type: 'mail.store_failed', reason: 'io', atMs: clock.wallMs() });
  for (let second = 0; second < 60; second += 1) {
    await look();
    clock.advance(1_000);
  }
  expect(sent).toHaveLength(4);
});

test('tells of another endpoint that fails or was disabled to those who asked for it', async () => {
  const running = await setup({ app: 'default', enabledEvents: ['endpoint.*'] });
  const { clock, look, lane, events } = running;
  const failing = { type: 'mail.endpoint_failing', endpointId: 'ep_a' } as const;
  const times = { atMs: clock.wallMs(), failingForMs: HOUR };
  lane.tell({ ...failing, ...times, app: 'other' });
  await look();
  expect(running.sent).toEqual([]);
  lane.tell({ ...failing, ...times, reason: 'http_500' });
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
