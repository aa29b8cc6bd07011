// What the log keeps beside deliveries: what callers were told, refusals, outages, and the gaps of the log.

import type Database from 'better-sqlite3';
import type { Gap, Outage, Refusal, RefusalsWrite, Told } from '../../../core/ports/records.ts';
import { maybeFingerprint, wholeMs } from '../../values.ts';
import type { EventRecording } from '../events/recording.ts';
import type { LogBeginning, RecordPruning, RefusalTrim } from '../protocol.ts';

/** Outages and gaps are few; a provider that comes and goes every second must not fill the disk. */
const MAX_OUTAGES = 10_000;
const MAX_GAPS = 10_000;

export function prepareRecordOperations(db: Database.Database, recording: EventRecording) {
  return {
    tell: prepareTell(db),
    ...prepareRefusals(db),
    ...prepareOutages(db, recording),
    ...prepareGaps(db),
    prune: preparePrune(db),
  };
}

export function prepareTell(db: Database.Database) {
  const tell = db.prepare(
    `UPDATE deliveries SET told = ?, told_status = ?, told_at_ms = ?
     WHERE row_id = (SELECT row_id FROM deliveries WHERE id = ?) AND told IS NULL`,
  );
  return ({ deliveryId, told, status, atMs }: Told): void => {
    tell.run(told, status, wholeMs(atMs), deliveryId);
  };
}

function prepareRefusals(db: Database.Database) {
  const insert = db.prepare(
    `INSERT INTO refusals (at_ms, last_at_ms, count, request_id, door, source, app, code, status,
       limit_name, token_hash, handle_hash, subject_hash, device_id, fields, node_id, address_hash,
       delivery_id, known)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const add = (refusal: Refusal): number => {
    const { lastInsertRowid } = insert.run(
      wholeMs(refusal.atMs),
      wholeMs(refusal.lastAtMs),
      refusal.count,
      refusal.requestId ?? null,
      refusal.door,
      refusal.source ?? null,
      refusal.app ?? null,
      refusal.code,
      refusal.status,
      refusal.limit ?? null,
      maybeFingerprint(refusal.tokenHash),
      maybeFingerprint(refusal.handleHash),
      maybeFingerprint(refusal.subjectHash),
      refusal.deviceId ?? null,
      refusal.fields ?? null,
      refusal.nodeId ?? null,
      maybeFingerprint(refusal.addressHash),
      refusal.deliveryId ?? null,
      refusal.isKnown ? 1 : 0,
    );
    return Number(lastInsertRowid);
  };
  const count = db.prepare('UPDATE refusals SET count = ?, last_at_ms = ? WHERE row_id = ?');
  const repeat = db.prepare(
    'UPDATE deliveries SET repeats = repeats + ?, repeated_at_ms = ? WHERE id = ?',
  );
  const trim = (condition: string) =>
    db.prepare(
      `DELETE FROM refusals WHERE row_id IN (
         SELECT row_id FROM refusals WHERE ${condition}
         ORDER BY at_ms DESC, row_id DESC LIMIT @limit OFFSET @keep)`,
    );
  const trimKind = trim('door = @door AND code = @code');
  const trimStrangers = trim('known = 0');

  return {
    writeRefusals({ added, counted, repeats }: RefusalsWrite): readonly number[] {
      for (const one of counted) count.run(one.count, wholeMs(one.lastAtMs), one.rowId);
      for (const one of repeats) repeat.run(one.calls, wholeMs(one.lastAtMs), one.deliveryId);
      return added.map(add);
    },
    trimRefusals({ of, keep, limit }: RefusalTrim): number {
      if (of === 'strangers') return trimStrangers.run({ keep, limit }).changes;
      return trimKind.run({ ...of, keep, limit }).changes;
    },
  };
}

function prepareOutages(db: Database.Database, recording: EventRecording) {
  const end = db.prepare(
    `UPDATE outages SET ended_at_ms = @endedAtMs
     WHERE app = @app AND provider = @provider AND began_at_ms = @beganAtMs`,
  );
  const insert = db.prepare(
    `INSERT INTO outages (app, provider, reason, began_at_ms, ended_at_ms)
     VALUES (@app, @provider, @reason, @beganAtMs, @endedAtMs)`,
  );
  return {
    recordOutage({ app, provider, reason, isMisconfigured = false, ...times }: Outage): void {
      const beganAtMs = wholeMs(times.beganAtMs);
      const endedAtMs = times.endedAtMs === undefined ? null : wholeMs(times.endedAtMs);
      const outage = { app, provider, reason, beganAtMs, endedAtMs };
      const event = { app, provider, reason };
      if (end.run({ app, provider, beganAtMs, endedAtMs }).changes === 0) {
        insert.run(outage);
        const type = isMisconfigured ? 'provider.misconfigured' : 'provider.down';
        recording.record({ ...event, type, atMs: beganAtMs });
      }
      if (endedAtMs !== null) recording.record({ ...event, type: 'provider.up', atMs: endedAtMs });
    },
  };
}

function prepareGaps(db: Database.Database) {
  const insert = db.prepare<[string, number, number | null, number]>(
    'INSERT INTO gaps (kind, began_at_ms, ended_at_ms, unlogged) VALUES (?, ?, ?, ?)',
  );
  const endStop = db.prepare<[number]>(
    'UPDATE gaps SET ended_at_ms = max(began_at_ms, ?) WHERE ended_at_ms IS NULL',
  );
  const endOutages = db.prepare<[number]>(
    'UPDATE outages SET ended_at_ms = max(began_at_ms, ?) WHERE ended_at_ms IS NULL',
  );
  const findStop = db
    .prepare<[], number>('SELECT max(began_at_ms) FROM gaps WHERE ended_at_ms IS NULL')
    .pluck();
  const findLastRow = db
    .prepare<[], number>('SELECT received_at_ms FROM deliveries ORDER BY row_id DESC LIMIT 1')
    .pluck();
  const hasGaps = db.prepare<[], number>('SELECT EXISTS (SELECT 1 FROM gaps)').pluck();

  /** Nothing is known of the time before the first row of a log. */
  const lastSign = ({ aliveUntilMs }: LogBeginning): number =>
    aliveUntilMs ?? findLastRow.get() ?? 0;

  return {
    recordGap({ kind, beganAtMs, endedAtMs, unlogged }: Gap): void {
      const end = endedAtMs === undefined ? null : wholeMs(endedAtMs);
      insert.run(kind, wholeMs(beganAtMs), end, unlogged);
    },
    begin(beginning: LogBeginning): void {
      const wallMs = wholeMs(beginning.wallMs);
      const stoppedAtMs = findStop.get() ?? undefined;
      const isNew = hasGaps.get() === 0 && findLastRow.get() === undefined;
      const sinceMs = isNew ? 0 : (stoppedAtMs ?? lastSign(beginning));
      const beganAtMs = Math.min(wallMs, wholeMs(sinceMs));
      endOutages.run(beganAtMs);
      if (stoppedAtMs === undefined) insert.run('stopped', beganAtMs, wallMs, 0);
      else endStop.run(wallMs);
    },
    end({ wallMs }: { readonly wallMs: number }): void {
      if (findStop.get() === null) insert.run('stopped', wholeMs(wallMs), null, 0);
    },
  };
}

function preparePrune(db: Database.Database) {
  // Rows lie in the order of their first refusal, so only the oldest have to be read.
  const refusals = db.prepare(
    `DELETE FROM refusals WHERE row_id IN (
       SELECT row_id FROM (SELECT row_id, at_ms FROM refusals ORDER BY row_id LIMIT @limit)
       WHERE at_ms < @refusedBeforeMs)`,
  );
  const ended = (table: string, max: number) =>
    db.prepare(
      `DELETE FROM ${table} WHERE row_id IN (
         SELECT row_id FROM (SELECT row_id, ended_at_ms FROM ${table} ORDER BY row_id LIMIT @limit)
         WHERE ended_at_ms < @endedBeforeMs
           OR row_id <= (SELECT max(row_id) FROM ${table}) - ${max})`,
    );
  const outages = ended('outages', MAX_OUTAGES);
  const gaps = ended('gaps', MAX_GAPS);

  return function prune({ refusedBeforeMs, endedBeforeMs, limit }: RecordPruning): number {
    let gone = refusals.run({ refusedBeforeMs, limit }).changes;
    gone += outages.run({ endedBeforeMs, limit: limit - gone }).changes;
    gone += gaps.run({ endedBeforeMs, limit: limit - gone }).changes;
    return gone;
  };
}
