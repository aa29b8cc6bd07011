// An endpoint that is down for five days while 100 things happen a second, on a real store and in virtual time.
//
// What happens are tokens that are quarantined again and again: their events are written by the function that writes those
// of deliveries, and they leave nothing else in the file, so that its size is that of the events. The full rate holds for
// the first 19 minutes, in which the table reaches its bound; after that one thing happens each 20 s, so that what is left
// in the end is bounded by age.

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { quarantineEntry, sampleId } from '../../contract/store-samples.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { startOutbox } from './outbox-setup.ts';

const { newFile, open } = useFiles();
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const MAX_EVENTS = 100_000;
/** The table is pruned after this many events. */
const SLACK = 256;
const WAL_BYTES = 16 * 1_048_576;

test('an endpoint that is down for five days costs a bounded table, and is told what it missed', {
  timeout: 120_000,
}, async () => {
  const file = newFile();
  const opened = await open(file);
  const { clock, outbox, calls, told, state, idle } = await startOutbox(opened, ['device.*']);
  const { store, events } = opened;
  const entry = quarantineEntry('a');
  const beganAtMs = clock.wallMs();
  let recorded = 0;
  /** Records this many, one after the other, the last one now. */
  const happen = async (count: number, everyMs: number) => {
    const firstAtMs = clock.wallMs() - (count - 1) * everyMs;
    const about = { deliveryId: sampleId(1), tokenSha256: 'ab'.repeat(32) };
    const writes = Array.from({ length: count }, (_, index) =>
      store.quarantine(entry, { ...about, atMs: firstAtMs + index * everyMs }),
    );
    await Promise.all(writes);
    recorded += count;
  };
  const read = <Value>(sql: string) => {
    const db = new Database(file, { readonly: true });
    const value = db.prepare<[], Value>(sql).pluck().get();
    db.close();
    return value;
  };
  const rows = () => read<number>('SELECT count(*) FROM events') ?? 0;

  state.answer = { kind: 'answered', status: 503 };
  await happen(1, 0);
  outbox.nudge();
  const sizes: number[] = [];
  for (let second = 0; second < 19 * 60; second += 5) {
    clock.advance(5 * SECOND);
    await happen(500, 10);
    if (second % 60 !== 0) continue;
    await idle();
    expect(rows()).toBeLessThanOrEqual(MAX_EVENTS + SLACK);
    sizes.push(statSync(file).size);
    expect(statSync(`${file}-wal`).size).toBeLessThan(WAL_BYTES);
  }
  expect(recorded).toBe(114_001);
  expect(rows()).toBeGreaterThan(MAX_EVENTS - SLACK);
  // The file was as large when the limit was reached, after 1,000 s.
  expect(sizes.at(-1)).toBeLessThan((sizes[18] ?? 0) * 1.02);

  for (let hour = 0; outbox.endpoint.status === 'enabled' && hour < 150; hour += 1) {
    clock.advance(HOUR);
    await happen(180, 20 * SECOND);
    await idle();
    const aged = { beforeMs: clock.wallMs() - DAY, limit: 500 };
    while ((await events.pruneEvents(aged)) > 0);
    sizes.push(statSync(file).size);
  }
  expect(outbox.endpoint).toMatchObject({ status: 'disabled', disabledReason: 'failing' });
  expect(clock.wallMs() - beganAtMs).toBeLessThan(5 * DAY + 3 * HOUR);
  const warnings = told.flatMap((event) =>
    event.name === 'endpoint_failing' ? [event.failingForMs / HOUR] : [],
  );
  // It is tried only once an hour by then.
  expect(warnings.map((hours) => [1, 24, 72].findLast((due) => hours >= due))).toEqual([1, 24, 72]);
  expect(warnings.map((hours) => [2, 25, 73].find((late) => hours < late))).toEqual([2, 25, 73]);
  expect(calls.length).toBeLessThan(150);
  expect(sizes.at(-1)).toBeLessThan((sizes[18] ?? 0) * 1.02);
  // The event of exactly a day ago is still there.
  expect(rows()).toBe(DAY / (20 * SECOND) + 1);

  // Enabled again, it first gets the number of deleted events, then the remaining ones in order.
  const left = rows();
  const first = read<number>('SELECT at_ms FROM events ORDER BY row_id LIMIT 1') ?? 0;
  const before = calls.length;
  state.answer = { kind: 'answered', status: 200 };
  const enabled = { ...outbox.endpoint, status: 'enabled', disabledReason: undefined } as const;
  outbox.change(await events.putEndpoint(enabled));
  while (calls.length < before + 1 + left) await idle();
  const [notice, ...rest] = calls.slice(before);
  expect(notice?.type).toBe('events.dropped');
  const iso = (ms: number) => new Date(ms).toISOString();
  expect(notice?.data).toEqual({
    count: recorded - left,
    from: iso(beganAtMs),
    to: iso(first - 20 * SECOND),
  });
  expect(rest.map(({ type }) => type)).toEqual(Array(left).fill('device.quarantined'));
  expect(new Set(rest.map(({ id }) => id)).size).toBe(left);
});
