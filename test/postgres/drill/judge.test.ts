// That the drill reports each broken promise: finding nothing proves something only if faults would be found.

import { expect, test } from 'vitest';
import type { ReceivedPush, SandboxRequest } from '../../../sandbox/sandbox.ts';
import type { DeliveryRow } from '../../chaos/database.ts';
import type { Call, Try } from './callers.ts';
import type { Drilled } from './drill.ts';
import type { FaultRecord } from './faults.ts';
import { judge } from './judge.ts';
import type { Sent } from './reconcile.ts';

const START_MS = Date.parse('2026-11-27T12:00:00Z');
const TOKEN = 'phone-1:APA91bChaos';
const ID = '01a21bfb-4846-75fa-8b86-3c3c4add99d1';

const delivered: DeliveryRow = {
  ...{ id: ID, provider: 'fcm', type: 'payment_received', status: 'delivered' },
  attempts: [{ outcome: 'delivered', reason: undefined, messageId: '1' }],
};

function answered(status: number, body: Record<string, unknown>): Try {
  return {
    ...{ machine: 1, atMs: START_MS, endedAtMs: START_MS + 20 },
    answer: { status, body: { id: ID, ...body } },
  };
}

function callOf(...tries: readonly Try[]): Call {
  return { number: 1, token: TOKEN, type: 'payment_received', tries };
}

function pushAt(afterMs: number, machine = 1, id = 1): Sent<ReceivedPush> {
  return {
    ...{ provider: 'fcm', platform: 'android', token: TOKEN, title: 'A payment', data: {} },
    ...{ expired: false, connection: 1, receivedAtMs: START_MS + afterMs, machine },
    fcm: {
      name: `projects/nds-sandbox/messages/${id}`,
      message: { token: TOKEN },
      androidPriority: 'HIGH',
      ttl: '60s',
    },
  };
}

function requestAt(afterMs: number, machine = 1): Sent<SandboxRequest> {
  return {
    ...{ provider: 'fcm', token: TOKEN, status: 200, reason: undefined, id: '1', scripted: false },
    ...{ connection: 1, stream: 1, receivedAtMs: START_MS + afterMs, machine },
  };
}

function faultOf(kind: FaultRecord['kind'], changes: Partial<FaultRecord> = {}): FaultRecord {
  const times = { fromMs: START_MS - 60_000, toMs: START_MS - 50_000 };
  return { kind, machine: 1, ...times, takeoversMs: [6_500], declaredDead: 0, ...changes };
}

const SOUND: Drilled = {
  calls: [callOf(answered(200, { status: 'delivered' }))],
  rows: [delivered],
  pushes: [pushAt(10)],
  requests: [requestAt(10)],
  faults: [faultOf('kill')],
  unclaimed: new Set(),
  databaseFaults: [],
  open: 0,
  clocks: 'the same',
  counts: {},
};

const brokenIn = (changes: Partial<Drilled>) => judge({ ...SOUND, ...changes }).broken;

test('finds nothing where every promise was kept', () => {
  expect(brokenIn({})).toEqual([]);
});

test.each<[string, Partial<Drilled>, RegExp]>([
  [
    'a 200 without its push',
    {
      calls: [callOf(answered(200, { status: 'queued' }))],
      pushes: [],
      rows: [{ ...delivered, status: 'rejected' }],
    },
    /^lost: .*answered queued, and no phone got it/,
  ],
  ['a 200 without its row', { rows: [] }, /^lost: .*there is no row/],
  ['delivered without a push', { pushes: [] }, /^false: .*answered delivered without a push/],
  [
    'a refusal while the database was there',
    { calls: [callOf(answered(503, { status: 503, code: 'store_unavailable' }))] },
    /^false: .*answered 503 store_unavailable without need/,
  ],
  [
    'a row that denies its push',
    { rows: [{ ...delivered, status: 'expired' }] },
    /^false: .*its phone got it, and its row says expired/,
  ],
  ['a double without a cause', { pushes: [pushAt(10), pushAt(30_000)] }, /^doubled: /],
  [
    'a retry of a machine that is cut off',
    {
      requests: [requestAt(10, 2), requestAt(9_000, 1)],
      faults: [faultOf('cut', { fromMs: START_MS, toMs: START_MS + 12_000 })],
    },
    /^retried while cut off: .*tried again by 1/,
  ],
  [
    'a late takeover',
    { faults: [faultOf('kill', { takeoversMs: [8_001] })] },
    /^taken over after 8001 ms/,
  ],
  [
    'faults that met nothing',
    { faults: [faultOf('kill', { takeoversMs: [] })] },
    /^no fault left anything to take over/,
  ],
  [
    'machines that a restart of PostgreSQL killed',
    { faults: [faultOf('kill'), faultOf('postgres', { declaredDead: 1, takeoversMs: [] })] },
    /^1 machines declared dead by PostgreSQL/,
  ],
  [
    'a contradiction in the log',
    { databaseFaults: ['1 × an attempt of no delivery'] },
    /^database: /,
  ],
  ['a delivery that never ended', { open: 1 }, /^1 deliveries never ended/],
])('finds %s', (_what, changes, said) => {
  expect(brokenIn(changes)).toEqual(expect.arrayContaining([expect.stringMatching(said)]));
});

test('explains a double by the fault that met its first push', () => {
  const faults = [faultOf('kill', { fromMs: START_MS + 50, toMs: START_MS + 8_000 })];
  const { broken, figures } = judge({ ...SOUND, faults, pushes: [pushAt(10), pushAt(6_500, 2)] });
  expect(broken).toEqual([]);
  expect(figures.doubles).toEqual({ 'under way at kill': 1 });
});
