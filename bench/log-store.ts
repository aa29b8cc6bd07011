// The process that fills a log of its own through the Store port, as the service would, and asks it an operator's
// questions. It is a process of its own, so that its memory and CPU are only the store's.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { openSqliteStore } from '../src/stores/sqlite/store.ts';
import {
  accept,
  DELIVERED,
  FAILED,
  sampleDelivery,
  sampleFingerprint,
  settlement,
} from '../test/contract/store-samples.ts';
import { serveParent } from './child.ts';
import { nowUs } from './monotonic.ts';
import { paymentHash, tokenOf } from './numbering.ts';

const DAY_MS = 86_400_000;
/** The log covers this many days. */
const SPAN_DAYS = 30;
/** Deliveries under way at once while the log is filled. */
const IN_FLIGHT = 500;
const PHONES = 50_000;
const LIFETIME_MS = 60_000;
/** One in this many fails, so that there are failures to find. */
const FAILED_EVERY = 500;
const QUERY_REPEATS = 50;

const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('fill'), rows: z.int().min(1).max(5_000_000) }),
  z.object({ kind: z.literal('query') }),
]);

const folder = mkdtempSync(join(tmpdir(), 'nds-bench-log-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGTERM', () => process.exit());
const file = join(folder, 'nds.sqlite');
const { store, records } = await openSqliteStore({
  file,
  keys: { current: randomBytes(32), previous: [] },
});
let written = 0;

/** A UUID version 7 with this time, RFC 9562. */
function deliveryId(unixMs: number, number: number): string {
  const random = createHash('sha256').update(`delivery ${number}`).digest('hex');
  const time = Math.floor(unixMs).toString(16).padStart(12, '0');
  const parts = [time.slice(0, 8), time.slice(8), `7${random.slice(0, 3)}`];
  return [...parts, `8${random.slice(3, 6)}`, random.slice(6, 18)].join('-');
}

async function writeOne(number: number, receivedAtMs: number): Promise<void> {
  const platform = number % 2 === 0 ? 'android' : 'ios';
  const token = tokenOf(number, platform, PHONES);
  const id = deliveryId(receivedAtMs, number);
  const delivery = sampleDelivery(number, {
    id,
    provider: platform === 'ios' ? 'apns' : 'fcm',
    target: { app: 'default', platform, token },
    tokenHash: sampleFingerprint(token),
    subjectHash: sampleFingerprint(paymentHash(number)),
    origin: { door: '/api/v1/notify', source: 'notify', requestId: id, isBroadcast: false },
    receivedAtMs,
    expiresAtMs: receivedAtMs + LIFETIME_MS,
  });
  await store.insert(accept(delivery, { leaseUntilMs: receivedAtMs + LIFETIME_MS }));
  const failed = number % FAILED_EVERY === 0;
  const messageId = platform === 'ios' ? id : `0:${receivedAtMs}%${number}`;
  const attempt = failed
    ? { ...FAILED, outcome: { kind: 'unregistered', reason: 'Unregistered' } as const }
    : { ...DELIVERED, outcome: { kind: 'delivered', messageId } as const };
  const next = failed
    ? ({ status: 'unregistered', reason: 'Unregistered' } as const)
    : ({ status: 'delivered' } as const);
  const settled = store.settle(
    settlement(delivery, next, {
      nowMs: receivedAtMs + 60,
      attempt: { ...attempt, startedAtMs: receivedAtMs, latencyMs: 60 },
    }),
  );
  const told = failed ? 'token_unregistered' : 'delivered';
  const status = failed ? 410 : 200;
  records.tell({ deliveryId: id, told, status, atMs: receivedAtMs + 61 });
  await settled;
}

async function fill(rows: number) {
  const startMs = Date.now() - SPAN_DAYS * DAY_MS;
  const gapMs = (SPAN_DAYS * DAY_MS) / rows;
  const startedUs = nowUs();
  const writer = async () => {
    while (written < rows) {
      const number = written;
      written += 1;
      await writeOne(number, Math.floor(startMs + number * gapMs));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
  const seconds = (nowUs() - startedUs) / 1e6;
  return { seconds, fileBytes: statSync(file).size, walBytes: statSync(`${file}-wal`).size };
}

async function timeQuery(ask: (repeat: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let repeat = 0; repeat < QUERY_REPEATS; repeat += 1) {
    const startedUs = nowUs();
    await ask(repeat);
    times.push((nowUs() - startedUs) / 1e3);
  }
  return times;
}

async function query() {
  const number = (repeat: number) => Math.floor((written / QUERY_REPEATS) * repeat);
  const phone = (repeat: number) =>
    tokenOf(number(repeat), number(repeat) % 2 === 0 ? 'android' : 'ios', PHONES);
  const find = (by: Parameters<typeof store.findDeliveries>[0]) => store.findDeliveries(by);
  return {
    'the newest 100': await timeQuery(() => find({ limit: 100 })),
    'by payment hash': await timeQuery((repeat) =>
      find({ subjectHash: sampleFingerprint(paymentHash(number(repeat))), limit: 100 }),
    ),
    'by token': await timeQuery((repeat) =>
      find({ tokenHash: sampleFingerprint(phone(repeat)), limit: 100 }),
    ),
    'failed: unregistered': await timeQuery(() => find({ status: 'unregistered', limit: 100 })),
    'failed: rejected (none)': await timeQuery(() => find({ status: 'rejected', limit: 100 })),
    queued: await timeQuery(() => find({ status: 'queued', limit: 100 })),
  };
}

serveParent(commands, async (command) =>
  command.kind === 'fill' ? await fill(command.rows) : await query(),
);
