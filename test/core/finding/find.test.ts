// One question, from its text to its sentence, with a log that answers with the given evidence.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { find } from '../../../src/core/finding/find.ts';
import { textOf } from '../../../src/core/finding/find-text.ts';
import { findResultAsJson } from '../../../src/core/finding/json.ts';
import type { Evidence } from '../../../src/core/ports/log.ts';
import type { Outage } from '../../../src/core/ports/records.ts';
import {
  attempt,
  CALLED,
  DELIVERY_ID,
  DEVICE_ID,
  sampleEvidence,
  sampleLogged,
  sampleQuarantined,
  sampleRefusal,
} from './samples.ts';

const DOCS = readFileSync(resolve(import.meta.dirname, '../../../docs/finding-a-push.md'), 'utf8');
const DAY_MS = 86_400_000;
const DEVICE = {
  id: DEVICE_ID,
  app: 'default',
  platform: 'android',
  registrar: 'backend',
  user: `02f1c4${'ab'.repeat(30)}`,
  createdAtMs: CALLED - DAY_MS,
  seenAtMs: CALLED - DAY_MS,
} as const;

function answerFor(evidence: Partial<Evidence>, text = '4BB06F8E4E3A') {
  const parts = {
    fingerprint: (value: string) => value,
    apps: ['default'],
    doors: ['notify'],
    gather: () => sampleEvidence(evidence),
    retentionMs: 30 * DAY_MS,
    nowMs: CALLED + 60_000,
  };
  return find(text, parts, { limit: 20 });
}

const LATE = sampleLogged({
  source: 'notify',
  door: '/n/:handle',
  deviceId: DEVICE_ID,
  settledAtMs: CALLED + 14_299,
  told: 'queued',
  toldStatus: 200,
  toldAtMs: CALLED + 16,
  attempts: [
    { ...attempt(1, 2, 'connection_refused'), latencyMs: 3 },
    { ...attempt(2, 14_258), latencyMs: 41 },
  ],
});

test('explains a late payment in one line of time and one sentence', async () => {
  const answer = await answerFor({ found: ['subject'], deliveries: [LATE], devices: [DEVICE] });
  // The sample of the docs.
  expect(DOCS).toContain(`\`\`\`\n${textOf(answer)}\`\`\``);
  expect(answer.verdict.code).toBe('delivered_late_outage');
});

const DOWN = { app: 'default', provider: 'fcm', reason: 'UNAVAILABLE' } as const;

test('an outage and a stop of the service are in the line of time', async () => {
  const outages: readonly Outage[] = [
    { ...DOWN, beganAtMs: CALLED - 1_000, endedAtMs: CALLED + 14_000 },
    // An outage of another app, one of a provider that it does not use, and one long before.
    { ...DOWN, app: 'other', beganAtMs: CALLED },
    { ...DOWN, provider: 'apns', beganAtMs: CALLED },
    { ...DOWN, beganAtMs: 1, endedAtMs: 2 },
  ];
  const answer = await answerFor({ found: ['subject'], deliveries: [LATE], outages });
  const text = textOf(answer);
  expect(text).toContain('18:12:21.682  outage     fcm  failing: UNAVAILABLE\n');
  expect(text).toContain('18:12:36.682  recovered  fcm\n');
  expect(answer.timeline.filter(({ what }) => what === 'outage')).toHaveLength(1);
  // Whether a refused call would have used APNs or FCM is not known.
  const refusals = [sampleRefusal({ code: 'provider_unavailable', status: 503 })];
  const { evidence } = await answerFor({ found: ['user'], refusals, outages });
  expect(evidence.outages.map(({ provider }) => provider)).toEqual(['fcm', 'apns']);
});

const WAITING = sampleLogged({ status: 'queued', settledAtMs: undefined, attempts: [] });

test('a service that was killed does not count as running, although it could not record its end', async () => {
  const evidence = { found: ['subject'], deliveries: [WAITING] } as const;
  const answer = await answerFor({ ...evidence, aliveUntilMs: CALLED + 1_000 });
  expect(answer.verdict.code).toBe('queued_stopped');
  expect(textOf(answer)).toContain('18:12:23.682  stopped    nds is not running\n');
  const gap = { kind: 'stopped', began_at: new Date(CALLED + 1_000).toISOString() };
  expect(findResultAsJson(answer).log.gaps).toEqual([expect.objectContaining(gap)]);
  // Its next sign of life is not due yet; and an orderly stop that was recorded counts.
  const alive = await answerFor({ ...evidence, aliveUntilMs: CALLED + 58_000 });
  expect(alive.evidence.gaps).toEqual([]);
  const stopped = { kind: 'stopped', beganAtMs: CALLED + 500, unlogged: 0 } as const;
  const orderly = { ...evidence, gaps: [stopped], aliveUntilMs: CALLED - 60_000 };
  expect((await answerFor(orderly)).evidence.gaps).toEqual([stopped]);
});

test('what happened after the last sign of life of a killed service is before its stop', async () => {
  const sign = { kind: 'stopped', beganAtMs: CALLED - 400, unlogged: 0 } as const;
  const gaps = [{ ...sign, endedAtMs: CALLED + 14_200 }];
  const answer = await answerFor({ found: ['subject'], deliveries: [LATE], gaps });
  expect(answer.timeline.map(({ what }) => what)).toEqual([
    ...['received', 'try 1', 'answered', 'stopped', 'started', 'try 2'],
  ]);
  const aliveUntilMs = CALLED - 400;
  const waiting = await answerFor({ found: ['subject'], deliveries: [WAITING], aliveUntilMs });
  expect(waiting.timeline.map(({ what }) => what)).toEqual(['received', 'stopped']);
});

test('of several findings the latest counts, and the sentence says how many others there are', async () => {
  const [one, two] = [
    sampleLogged(),
    sampleLogged({ id: DEVICE_ID, receivedAtMs: CALLED + 1_000, settledAtMs: CALLED + 1_100 }),
  ];
  const refused = sampleRefusal({ lastAtMs: CALLED + 5_000, count: 3, limit: 'token_rate' });
  const evidence = { found: ['token'], deliveries: [two, one], refusals: [refused] } as const;
  const { verdict, ...answer } = await answerFor(evidence);
  expect(verdict).toEqual({
    code: 'refused_rate_limited',
    sentence:
      '2 deliveries (2 delivered), 3 calls refused; the last: Refused with 429 rate_limited 3 times, ' +
      'from 2026-11-26 18:12:22 to 18:12:27: more calls came than token_rate allows: raise that limit if these calls are genuine.',
  });
  const lines = textOf({ verdict, ...answer }).split('\n');
  expect(lines.slice(0, 3)).toEqual([
    'this token',
    `[1] ${DELIVERY_ID} (default, android, token in the URL)`,
    `[2] ${DEVICE_ID} (default, android, token in the URL)`,
  ]);
  expect(lines).toContain('18:12:22.682  received   [1] payment_received');
});

test('more than three deliveries are one line each', async () => {
  const deliveries = [4, 3, 2, 1, 0].map((hour) =>
    sampleLogged({
      id: `${DELIVERY_ID.slice(0, -1)}${hour}`,
      receivedAtMs: CALLED + hour * 3_600_000,
      settledAtMs: CALLED + hour * 3_600_000 + 43,
    }),
  );
  const text = textOf(await answerFor({ found: ['token'], deliveries }));
  expect(text).toContain('this token: 5 deliveries\n2026-11-26 UTC\n');
  expect(text).toContain(
    '18:12:22  delivered       43 ms  01a2191a…c300  default/fcm  payment_received\n',
  );
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

test('for what nobody knows it says since when the log is complete, and where it is not', async () => {
  const gaps = [
    { kind: 'stopped', beganAtMs: 0, endedAtMs: CALLED - 3_600_000, unlogged: 0 },
    { kind: 'stopped', beganAtMs: CALLED - 600_000, endedAtMs: CALLED - 588_000, unlogged: 0 },
  ] as const;
  const answer = await answerFor({ gaps });
  expect(answer.verdict).toEqual({
    code: 'nothing_known',
    sentence:
      'Nothing known about it: no call that names it came since 2026-11-26 17:12:22, except for 12 s at ' +
      '2026-11-26 18:02:22 (nds did not run). Either the caller never called, or it called another address; ' +
      'a call that was refused before it was read is found by its device, user or URL.',
  });
  expect(findResultAsJson(answer).log).toEqual({
    complete_since: '2026-11-26T17:12:22.682Z',
    gaps: [expect.objectContaining({ began_at: '2026-11-26T18:02:22.682Z' })],
  });
});

test('a database that takes no rows is said first, whatever is in the log', async () => {
  const gap = { kind: 'store', beganAtMs: CALLED + 3_600_000, unlogged: 0 } as const;
  // It began long after this delivery had ended.
  const answer = await answerFor({ found: ['user'], deliveries: [sampleLogged()], gaps: [gap] });
  expect(answer.verdict).toEqual({
    code: 'delivered',
    sentence: expect.stringMatching(
      /^The database has taken no rows since 2026-11-26 19:12:22 .* Until then: Delivered 43 ms/,
    ),
  });
  expect(textOf(answer)).toContain('19:12:22.682  log stops  the database takes no rows\n');
  const nothing = await answerFor({ gaps: [gap] });
  expect(nothing.verdict.sentence).not.toContain('except for');
});

test('what nobody knows may have come while nothing was logged, or nds does not run now', async () => {
  const unlogged = { kind: 'store', beganAtMs: CALLED - 60_000, endedAtMs: CALLED } as const;
  const missed = await answerFor({ gaps: [{ ...unlogged, unlogged: 3 }] });
  expect(missed.verdict.sentence).toContain(
    'Either it came while no rows were written, the caller never called, or',
  );
  const device = await answerFor({ found: ['device'], devices: [DEVICE] });
  expect(device.verdict.sentence).toContain(`\`nds devices show ${DEVICE_ID} --urls\``);
  const stopped = await answerFor({ aliveUntilMs: CALLED });
  expect(stopped.verdict).toEqual({
    code: 'nothing_known',
    sentence: expect.stringMatching(
      /^nds has not been running since 2026-11-26 18:12:22: start it\. Until then: Nothing known/,
    ),
  });
});

test('says that a part was not looked for because it is too short', async () => {
  const short = 'A part of a hash or id needs 8 characters or more from its beginning.';
  for (const text of ['4bb06f8', '4BB06F8…', '4bb06f8...']) {
    expect((await answerFor({}, text)).verdict.sentence, text).toContain(short);
  }
  // Just long enough; and a text that can only be a whole name.
  for (const text of ['4bb06f8e', 'alice']) {
    expect((await answerFor({}, text)).verdict.sentence, text).not.toContain(short);
  }
});

test('a device without calls, and one whose token is dead', async () => {
  const never = await answerFor({ found: ['user'], devices: [DEVICE] });
  expect(never.verdict.code).toBe('never_called');
  expect(textOf(never)).toContain(
    'device 01a20000…abcd of user 02f1c4… (default, android)\n' +
      'Never called since 2026-11-26 17:12:22',
  );
  const dead = { ...DEVICE, deadSinceMs: CALLED - 7_200_000 };
  const { verdict } = await answerFor({ found: ['user'], devices: [dead] });
  expect(verdict.code).toBe('device_dead');
});

test('a token in quarantine without calls', async () => {
  const entry = sampleQuarantined({ untilMs: CALLED + 60_000 });
  const { verdict, asked } = await answerFor({ found: ['token'], quarantined: [entry] });
  expect(asked).toBe('this token');
  expect(verdict).toEqual({
    code: 'quarantined',
    sentence:
      'No call since 2026-11-26 17:12:22; pushes to this token would be refused until ' +
      '2026-11-26 18:13:22: UNREGISTERED since 2026-11-26 17:12:22.',
  });
});

test('a repeat is shown with its delivery, and alone if the delivery is gone', async () => {
  const repeat = sampleRefusal({ code: 'duplicate', status: 200, deliveryId: DELIVERY_ID });
  const repeated = sampleLogged({ repeats: 2, repeatedAtMs: CALLED + 900 });
  const evidence = { found: ['delivery'], deliveries: [repeated], refusals: [repeat] } as const;
  const { timeline, verdict } = await answerFor(evidence);
  expect(timeline.filter(({ what }) => what === 'repeated')).toEqual([
    expect.objectContaining({
      atMs: CALLED + 900,
      text: 'twice so far, each answered 200 duplicate',
    }),
  ]);
  expect(verdict.code).toBe('delivered');
  expect((await answerFor({ found: ['request'], refusals: [repeat] })).verdict.code).toBe(
    'repeated',
  );
});

test('JSON has everything in snake_case, and neither user nor token', async () => {
  const answer = await answerFor({ found: ['subject'], deliveries: [LATE], devices: [DEVICE] });
  const json = findResultAsJson(answer);
  expect(json).toMatchObject({
    asked: 'payment 4bb06f8e…',
    verdict: { code: 'delivered_late_outage' },
    deliveries: [
      {
        id: DELIVERY_ID,
        verdict: { code: 'delivered_late_outage' },
        received_at: '2026-11-26T18:12:22.682Z',
        told: 'queued',
        told_status: 200,
        told_at: '2026-11-26T18:12:22.698Z',
        attempts: [{ number: 1, reason: 'connection_refused', latency_ms: 3 }, { number: 2 }],
      },
    ],
  });
  const text = JSON.stringify(json);
  expect(text).not.toContain(DEVICE.user);
  expect(text).not.toMatch(/"[a-z]+[A-Z]/);
});
