// `nds tail`: what happens now, one line for each delivery and refusal. Polls the log, so it needs neither the
// service's socket nor a key, and continues over restarts of the service.

import type { Environment } from '../config/config.ts';
import { deliveryAsJson, refusalAsJson } from '../core/finding/json.ts';
import { lineOfDelivery, lineOfRefusal } from '../core/finding/lines.ts';
import type { Follow, Place, ReadableLog } from '../core/ports/readable-log.ts';
import { REPEATED, type Refusal } from '../core/ports/records.ts';
import type { LoggedDelivery } from '../core/ports/store.ts';
import { createSystemClock } from '../service/system.ts';
import { print } from './print.ts';
import { findLog, type LogPlace } from './read-log.ts';

const LOOK_EVERY_MS = 500;
const MAX_ROWS = 1_000;
/** Failed looks in a row: five seconds. */
const MAX_FAILURES = 10;
/** Open deliveries whose end `tail` waits for; the oldest are forgotten. */
const MAX_OPEN = 10_000;

export interface TailOptions {
  /** Only what was not delivered. */
  readonly failed?: boolean | undefined;
  readonly app?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Returns 0 when it is interrupted, or when its reader closes the pipe. */
export async function tail(options: TailOptions, environment: Environment): Promise<number> {
  const follower = new Follower(findLog(environment), options);
  const clock = createSystemClock();
  const { promise: stopped, resolve: stop } = Promise.withResolvers<boolean>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(true));
  // The reader has closed the pipe.
  process.stdout.once('error', () => stop(true));
  let failures = 0;
  for (;;) {
    try {
      await follower.look();
      failures = 0;
    } catch (error) {
      // The service may be starting or stopping, or the file is just being replaced.
      failures += 1;
      if (failures > MAX_FAILURES) {
        await follower.close();
        throw error;
      }
    }
    const { promise: due, resolve } = Promise.withResolvers<boolean>();
    const timer = clock.after(LOOK_EVERY_MS, () => resolve(false));
    const isStopped = await Promise.race([due, stopped]);
    timer.cancel();
    if (isStopped) break;
  }
  await follower.close();
  return 0;
}

class Follower {
  readonly #place: LogPlace;
  readonly #options: TailOptions;
  #log: ReadableLog | undefined;
  #seen: Place | undefined;
  /** By number of the row: how much of the delivery was shown. */
  readonly #open = new Map<number, 'nothing' | 'queued'>();

  constructor(place: LogPlace, options: TailOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** Opens a file each time, so that it follows a restart or a restored backup. */
  async look(): Promise<void> {
    this.#log ??= await this.#place.open();
    try {
      await this.#read(this.#log.follow);
    } finally {
      if (this.#place.isFile) await this.close();
    }
  }

  async close(): Promise<void> {
    const log = this.#log;
    this.#log = undefined;
    await log?.close();
  }

  async #read(follow: Follow): Promise<void> {
    const end = await follow.end();
    // Row numbers start again from the beginning when all rows were pruned or another file was put in place.
    this.#seen = {
      delivery: Math.min(end.delivery, this.#seen?.delivery ?? end.delivery),
      refusal: Math.min(end.refusal, this.#seen?.refusal ?? end.refusal),
    };
    const open = new Map(this.#open);
    const now = await follow.deliveries([...open.keys()]);
    // `#show` adds those that are still open again.
    this.#open.clear();
    for (const { rowId, delivery } of now)
      this.#show(rowId, delivery, open.get(rowId) ?? 'nothing');
    const { deliveries, refusals, place } = await follow.after(this.#seen, MAX_ROWS);
    this.#seen = place;
    for (const { rowId, delivery } of deliveries) this.#show(rowId, delivery, 'nothing');
    for (const refusal of refusals) this.#showRefusal(refusal);
  }

  /** Shows a delivery once when it waits for another try, and once at its end. */
  #show(rowId: number, delivery: LoggedDelivery, shown: 'nothing' | 'queued'): void {
    const isOpen = delivery.status === 'queued';
    const isWaiting = isOpen && delivery.attempts.length > 0;
    if (isOpen) this.#remember(rowId, isWaiting ? 'queued' : shown);
    else this.#open.delete(rowId);
    if (isOpen && (!isWaiting || shown === 'queued')) return;
    const { failed = false, app, json = false } = this.#options;
    if (app !== undefined && delivery.app !== app) return;
    if (failed && delivery.status === 'delivered') return;
    print(json ? inJson({ delivery: deliveryAsJson(delivery) }) : `${lineOfDelivery(delivery)}\n`);
  }

  #remember(rowId: number, shown: 'nothing' | 'queued'): void {
    this.#open.set(rowId, shown);
    const [oldest] = this.#open.keys();
    if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#open.delete(oldest);
  }

  #showRefusal(refusal: Refusal): void {
    const { app, json = false } = this.#options;
    if (refusal.code === REPEATED || (app !== undefined && refusal.app !== app)) return;
    print(json ? inJson({ refusal: refusalAsJson(refusal) }) : `${lineOfRefusal(refusal)}\n`);
  }
}

function inJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
