// What must hold when a run is over: every answer against the database and against what the phones got, every
// attempt against its row, and nothing left in memory.

import Database from 'better-sqlite3';
import { z } from 'zod';
import { type CallRecord, type DeliveryRecord, isGhost, type Journal } from './journal.ts';
import type { Life } from './life.ts';
import { hadDiskTrouble, type Weather } from './weather.ts';

const rowSchema = z.object({
  id: z.string(),
  status: z.string(),
  numbers: z.string().nullable(),
});
const countSchema = z.object({ count: z.number() });

interface Row {
  readonly status: string;
  readonly numbers: readonly number[];
}

/** Probes of an outage cost a delivery nothing; there are at most four a second, and fewer as it grows older. */
const MAX_ATTEMPTS_OF_A_MINUTE = 120;

export function checkDatabase(file: string, journal: Journal): void {
  const db = new Database(file, { readonly: true });
  try {
    const { count } = countSchema.parse(db.prepare('SELECT count(*) AS count FROM queue').get());
    const open = [...journal.deliveries.values()].filter(
      ({ isStored, final }) => isStored && final === undefined,
    );
    if (count !== open.length) journal.violate('what ended is not queued', `${count} rows`);
    const rows = readRows(db);
    for (const delivery of journal.deliveries.values()) {
      checkDelivery(delivery, rows.get(delivery.id), journal);
    }
    for (const id of rows.keys()) {
      if (!journal.deliveries.has(id)) journal.violate('every row was accepted', id);
    }
  } finally {
    db.close();
  }
}

function readRows(db: Database.Database): ReadonlyMap<string, Row> {
  const rows = db
    .prepare(
      `SELECT id, status,
         (SELECT group_concat(number) FROM (SELECT number FROM attempts a
            WHERE a.row_id = d.row_id ORDER BY number)) AS numbers
       FROM deliveries d`,
    )
    .all();
  return new Map(
    z
      .array(rowSchema)
      .parse(rows)
      .map(({ id, status, numbers }) => [
        id,
        {
          status,
          numbers: numbers === null ? [] : numbers.split(',').map(Number),
        },
      ]),
  );
}

function checkDelivery(delivery: DeliveryRecord, row: Row | undefined, journal: Journal): void {
  const { id, final, isStored, call } = delivery;
  if (isStored !== (row !== undefined)) {
    journal.violate('what was committed is there', `${id}: ${isStored}`);
  }
  if (row === undefined) return;
  if (row.status !== (final?.status ?? 'queued')) {
    journal.violate('rows say what was committed', `${id}: ${row.status}, ${final?.status}`);
  }
  if (isGhost(delivery)) return;
  const inOrder = row.numbers.every((number, index) => number === index + 1);
  const logged = new Set(delivery.logged.map(({ number }) => number));
  if (!inOrder || logged.size !== row.numbers.length) {
    journal.violate('attempts are numbered without a gap', `${id}: ${row.numbers}`);
  }
  const isRace = delivery.lifetimeMs <= 60_000 && delivery.renewedAtMs === undefined;
  if (isRace && row.numbers.length > MAX_ATTEMPTS_OF_A_MINUTE) {
    journal.violate('attempts are bounded', `${id}: ${row.numbers.length}`);
  }
  if (call?.told?.status === 'delivered' && call.told.logged !== false) {
    checkDelivered(delivery, journal);
  }
  checkEnd(delivery, journal);
}

/**
 * Only a death between the answer and the commit of the end can make a later life end it otherwise, or leave news that
 * waits for the provider open at the end of the world.
 */
function checkDelivered(delivery: DeliveryRecord, journal: Journal): void {
  const { id, final, life, lifetimeMs } = delivery;
  if (final?.status === 'delivered' || (final !== undefined && final.life !== life)) return;
  if (final === undefined && lifetimeMs > 60_000 && journal.ends.has(life)) return;
  journal.violate('delivered stays delivered', `${id}: ${final?.status}`);
}

function checkEnd(delivery: DeliveryRecord, journal: Journal): void {
  const { id, final, attempts } = delivery;
  if (final === undefined || isGhost(delivery)) return;
  const wasTaken = attempts.some(({ takenAtMs }) => takenAtMs !== undefined);
  if (final.status === 'delivered' && !wasTaken) {
    journal.violate('delivered means that a phone got it', id);
  }
  if (final.status === 'expired') {
    const { seenEnd } = delivery;
    const endedAtMs = seenEnd?.life === final.life ? seenEnd.atMs : final.atMs;
    const known = attempts.find(({ outcome, late, life }) => {
      const isLate = late?.outcome.kind === 'delivered' && late.atMs < endedAtMs;
      return life === final.life && (isLate || outcome?.kind === 'delivered');
    });
    if (known !== undefined) journal.violate('nothing expired was sent', id);
  }
}

/** Every try that a process heard the end of is a row, unless it died before it could write. */
export function checkAttempts(journal: Journal, weather: Weather): void {
  for (const delivery of journal.deliveries.values()) {
    if (!delivery.isStored || isGhost(delivery)) continue;
    const lives = new Set(delivery.attempts.map(({ life }) => life));
    for (const life of lives) {
      const end = journal.ends.get(life);
      if (end?.kind === 'crash') continue;
      const untilMs = end?.atMs ?? Number.POSITIVE_INFINITY;
      if (end !== undefined && hadDiskTrouble(weather, end.atMs - 30_000, end.atMs + 10_000))
        continue;
      const heard = delivery.attempts.filter(
        (attempt) => attempt.life === life && (attempt.endedAtMs ?? untilMs) < untilMs,
      ).length;
      const logged = delivery.logged.filter((entry) => entry.life === life).length;
      if (logged < heard) {
        journal.violate('every attempt is a row', `${delivery.id}: ${logged} of ${heard}`);
      }
    }
  }
}

export function checkCalls(journal: Journal): void {
  for (const call of journal.calls) {
    if (call.told === undefined && call.isCut !== true) {
      journal.violate('every caller is answered', `call ${call.number}`);
    }
    if (call.told?.status === 'duplicate') checkRepeat(call, call.told.id, journal);
  }
}

/** A repeat waits for the first one's answer and gets the same. */
function checkRepeat(call: CallRecord, firstId: string, journal: Journal): void {
  const first = journal.deliveries.get(firstId)?.call;
  if (first === undefined || first.life !== call.life) return;
  if (first.isCut === true || (first.toldAtMs ?? 0) > (call.toldAtMs ?? 0)) {
    journal.violate('a repeat waits for the first', `call ${call.number}, ${firstId}`);
  }
}

/** A quiet service holds nothing. */
export function checkMemory({ core }: Life, journal: Journal): void {
  core.duplicates.sweep();
  const held: Record<string, number> = {
    'sends running': core.sender.running,
    'ends watched': core.sender.watched,
    'callers waiting': core.dispatcher.waiting,
    'questions waiting': core.asker.waiting,
    'reply addresses open': core.exchange.size,
    'records pending': core.ledger.pending,
  };
  for (const lane of core.lanes.all) {
    held[`${lane.provider.name} in flight`] = lane.inFlight;
    held[`${lane.provider.name} queued`] = lane.queued;
  }
  for (const [what, count] of Object.entries(held)) {
    if (count > 0) journal.violate('a quiet service holds nothing', `${count} ${what}`);
  }
}
