// Rules that must hold when a run is over: every answer agrees with the database and with what the phones got, every
// attempt with its row, and nothing is left in memory.

import { type CallRecord, type DeliveryRecord, isGhost, type Journal } from './journal.ts';
import type { Life } from './life.ts';
import type { Row, Rows } from './rows.ts';
import { hadDiskTrouble, type Weather } from './weather.ts';

/**
 * Probes of an outage do not count against a delivery; there are at most four a second, and fewer as the outage grows
 * older.
 */
const MAX_ATTEMPTS_OF_A_MINUTE = 120;

export function checkDatabase({ queued, byId }: Rows, journal: Journal): void {
  const open = [...journal.deliveries.values()].filter(
    ({ isStored, final }) => isStored && final === undefined,
  );
  const early = [...journal.claims.keys()].filter((id) => byId.get(id)?.status === 'queued');
  if (queued !== open.length + early.length)
    journal.violate('what ended is not queued', `${queued} rows`);
  for (const delivery of journal.deliveries.values()) {
    checkDelivery(delivery, byId.get(delivery.id), journal);
  }
  for (const [id, { status }] of byId) {
    // A claim that came too late: the call had been recognised as a repeat, or its process had been stopped.
    if (status !== 'delivered' && journal.claims.has(id)) continue;
    if (!journal.deliveries.has(id)) journal.violate('every row was accepted', id);
  }
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
  // The records of a machine that was declared dead are refused, except for a push that arrived.
  const isPartial = delivery.attempts.some(
    ({ life }) => journal.fleet?.wasDeclaredDead(life) === true,
  );
  if (!isPartial && (!inOrder || logged.size !== row.numbers.length)) {
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
 * Only a death between the answer and the commit of the end can let a later life end the delivery differently, or leave
 * news that waits for the provider open at the end of the run.
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

/** Every try whose outcome a process learned has a row, unless the process died before it could write it. */
export function checkAttempts(journal: Journal, weather: Weather): void {
  for (const delivery of journal.deliveries.values()) {
    if (!delivery.isStored || isGhost(delivery)) continue;
    const lives = new Set(delivery.attempts.map(({ life }) => life));
    for (const life of lives) {
      const end = journal.ends.get(life);
      if (end?.kind === 'crash' || journal.fleet?.wasDeclaredDead(life) === true) continue;
      // Another machine ended the delivery first, because its phone or the provider proved it.
      const isElsewhere = delivery.final !== undefined && delivery.final.life !== life;
      if (journal.fleet !== undefined && isElsewhere) continue;
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

/** A repeat waits for the first call's answer, and gets the same. */
function checkRepeat(call: CallRecord, firstId: string, journal: Journal): void {
  const first = journal.deliveries.get(firstId)?.call;
  if (first === undefined || first.life !== call.life) return;
  const { startedAtMs, toldAtMs = startedAtMs } = call;
  // A machine that stood still beyond the answer deadline does not wait.
  if (journal.fleet?.wasStopped(call.life, startedAtMs, toldAtMs) === true) return;
  if (first.isCut === true || (first.toldAtMs ?? 0) > (call.toldAtMs ?? 0)) {
    journal.violate('a repeat waits for the first', `call ${call.number}, ${firstId}`);
  }
}

/** A service without work holds nothing. */
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
