// The process that fills a log of its own through the Store port, as the service would, and asks it an operator's
// questions. Apart, so that its memory and CPU are the store's.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { openSqliteStore } from '../src/stores/sqlite/store.ts';
import { serveParent } from './child.ts';
import { nowUs } from './monotonic.ts';
import { paymentHash, tokenOf } from './numbering.ts';

const DAY_MS = 86_400_000;
/** The log spans so many days; the pruning takes what is older than `RETENTION_DAYS`. */
const SPAN_DAYS = 40;
const RETENTION_DAYS = 30;
/** Deliveries under way at once while it is filled. */
const IN_FLIGHT = 500;
const PHONES = 50_000;
const LIFETIME_MS = 60_000;
/** One in so many goes wrong, so that there are failures to be looked for. */
const FAILED_EVERY = 500;
const QUERY_REPEATS = 50;
const PRUNE_BATCH = 500;
const PRUNE_PAUSE_MS = 50;

const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('fill'), rows: z.int().min(1).max(5_000_000) }),
  z.object({ kind: z.literal('query') }),
  z.object({
    kind: z.literal('insert'),
    seconds: z.number().max(600),
    ratePerSecond: z.int().min(1),
    prune: z.boolean(),
  }),
]);

const folder = mkdtempSync(join(tmpdir(), 'nds-bench-log-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGTERM', () => process.exit());
const file = join(folder, 'nds.sqlite');
const { store } = await openSqliteStore({
  file,
  keys: { current: randomBytes(32), previous: [] },
});
const owner = randomBytes(16).toString('base64url');
let written = 0;

/** As `Ids.fingerprint`: 128 bits in base64url. */
function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
}

/** UUID version 7 of a moment, RFC 9562. */
function deliveryId(unixMs: number, number: number): string {
  const random = createHash('sha256').update(`delivery ${number}`).digest('hex');
  const time = Math.floor(unixMs).toString(16).padStart(12, '0');
  const parts = [time.slice(0, 8), time.slice(8), `7${random.slice(0, 3)}`];
  return [...parts, `8${random.slice(3, 6)}`, random.slice(6, 18)].join('-');
}

async function writeOne(number: number, receivedAtMs: number): Promise<void> {
  const platform = number % 2 === 0 ? 'android' : 'ios';
  const provider = platform === 'ios' ? 'apns' : 'fcm';
  const token = tokenOf(number, platform, PHONES);
  const id = deliveryId(receivedAtMs, number);
  await store.insert({
    owner,
    leaseUntilMs: receivedAtMs + LIFETIME_MS,
    delivery: {
      id,
      provider,
      target: { app: 'default', platform, token },
      notification: {
        type: 'payment_received',
        title: 'Incoming payment',
        payload: `{"payment_hash":"${paymentHash(number)}"}`,
        lifetimeMs: LIFETIME_MS,
      },
      tokenHash: fingerprint(token),
      subjectHash: fingerprint(paymentHash(number)),
      receivedAtMs,
      expiresAtMs: receivedAtMs + LIFETIME_MS,
      attempts: 0,
    },
  });
  const failed = number % FAILED_EVERY === 0;
  const messageId =
    provider === 'apns' ? id : `projects/nds-sandbox/messages/0:${receivedAtMs}%${number}`;
  await store.settle({
    deliveryId: id,
    owner,
    nowMs: receivedAtMs + 60,
    attempt: {
      number: 1,
      startedAtMs: receivedAtMs,
      latencyMs: 60,
      outcome: failed
        ? { kind: 'unregistered', reason: 'Unregistered' }
        : { kind: 'delivered', messageId },
    },
    next: failed ? { status: 'unregistered', reason: 'Unregistered' } : { status: 'delivered' },
  });
}

async function fill(rows: number) {
  const startMs = Date.now() - SPAN_DAYS * DAY_MS;
  const gapMs = (SPAN_DAYS * DAY_MS) / rows;
  const startedUs = nowUs();
  const untilNumber = written + rows;
  const writer = async () => {
    while (written < untilNumber) {
      const number = written;
      written += 1;
      await writeOne(number, Math.floor(startMs + (number % rows) * gapMs));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
  const seconds = (nowUs() - startedUs) / 1e6;
  const walBytes = statSync(`${file}-wal`).size;
  return { rows, seconds, fileBytes: statSync(file).size, walBytes };
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
    tokenOf(number(repeat), repeat % 2 === 0 ? 'android' : 'ios', PHONES);
  return {
    'the newest 100': await timeQuery(() => store.findDeliveries({ limit: 100 })),
    'by payment hash': await timeQuery((repeat) =>
      store.findDeliveries({ subjectHash: fingerprint(paymentHash(number(repeat))), limit: 100 }),
    ),
    'by token': await timeQuery((repeat) =>
      store.findDeliveries({ tokenHash: fingerprint(phone(repeat)), limit: 100 }),
    ),
    'failed: unregistered': await timeQuery(() =>
      store.findDeliveries({ status: 'unregistered', limit: 100 }),
    ),
    'failed: rejected (none)': await timeQuery(() =>
      store.findDeliveries({ status: 'rejected', limit: 100 }),
    ),
    queued: await timeQuery(() => store.findDeliveries({ status: 'queued', limit: 100 })),
  };
}

/** Deliveries at a fixed rate, with or without the pruning of the service's housekeeping beside them. */
async function insert({
  seconds,
  ratePerSecond,
  prune,
}: {
  readonly seconds: number;
  readonly ratePerSecond: number;
  readonly prune: boolean;
}) {
  const times: number[] = [];
  const running: Promise<void>[] = [];
  const startedUs = nowUs();
  let stopped = false;
  const pruning = prune ? pruneUntil(() => stopped) : Promise.resolve(0);
  for (let due = 0; due < seconds * ratePerSecond; due += 1) {
    const dueUs = startedUs + (due * 1e6) / ratePerSecond;
    const waitMs = (dueUs - nowUs()) / 1e3;
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    written += 1;
    const beganUs = nowUs();
    const done = writeOne(written, Date.now()).then(() => {
      times.push((nowUs() - beganUs) / 1e3);
    });
    running.push(done);
  }
  await Promise.all(running);
  stopped = true;
  return { times, pruned: await pruning };
}

async function pruneUntil(isOver: () => boolean): Promise<number> {
  let gone = 0;
  while (!isOver()) {
    const beforeMs = Date.now() - RETENTION_DAYS * DAY_MS;
    gone += await store.prune({ beforeMs, nowMs: Date.now(), limit: PRUNE_BATCH });
    await new Promise((resolve) => setTimeout(resolve, PRUNE_PAUSE_MS));
  }
  return gone;
}

serveParent(commands, async (command) => {
  switch (command.kind) {
    case 'fill':
      return await fill(command.rows);
    case 'query':
      return await query();
    case 'insert':
      return await insert(command);
  }
});
