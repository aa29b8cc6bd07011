// Forgets users and tokens: their devices, and their traces in the log. The rows of the log come first, a few in each
// transaction, and the devices with the last of them: as long as a device exists, it shows which rows are left.

import type Database from 'better-sqlite3';
import { FORGOTTEN_TOKEN, type Forgotten } from '../../../core/ports/operating.ts';
import { ERASED_DEVICES, OPEN_DELIVERIES, type RowOf, type Traces } from '../../rows.ts';
import { DEVICE_DELETED, fingerprint } from '../../values.ts';
import type { ErasedRow } from './devices.ts';
import type { Finish } from './finish.ts';

export interface ForgetRows extends Forgotten {
  readonly limit: number;
}

export interface ForgetDevices extends Forgotten {
  readonly wallMs: number;
}

export interface ForgottenDevices {
  readonly devices: number;
  readonly deliveries: number;
  readonly tokenHashes: readonly string[];
}

export function prepareForget(
  db: Database.Database,
  {
    finish,
    erase,
  }: { readonly finish: Finish; readonly erase: (row: ErasedRow, wallMs: number) => void },
) {
  const trace = prepareTrace(db);
  const blank = prepareBlank(db);
  const findOpen = db.prepare<[string], RowOf<typeof OPEN_DELIVERIES>>(
    `${OPEN_DELIVERIES.sql} WHERE token_hash = ?`,
  );
  const release = db.prepare<[string]>('DELETE FROM quarantine WHERE token_hash = ?');
  const forgetWakes = db.prepare<[string]>('DELETE FROM wake_histories WHERE token_hash = ?');

  return {
    /** Changes up to `limit` rows of deliveries that have ended; 0 if none is left. */
    rows: ({ limit, ...forgotten }: ForgetRows): number => blank(trace(forgotten), limit),

    /** Everything that is left, in one transaction. */
    devices({ wallMs, ...forgotten }: ForgetDevices): ForgottenDevices {
      const traces = trace(forgotten);
      for (const device of traces.devices) erase(device, wallMs);
      for (const tokenHash of traces.tokenHashes) {
        for (const row of findOpen.all(tokenHash)) {
          finish(row, { status: 'rejected', reason: DEVICE_DELETED, wallMs });
        }
        release.run(tokenHash);
        forgetWakes.run(tokenHash);
      }
      const deliveries = blank(traces, Number.MAX_SAFE_INTEGER);
      return { devices: traces.devices.length, deliveries, tokenHashes: traces.tokenHashes };
    },
  };
}

function prepareTrace(db: Database.Database) {
  const ofUser = db.prepare<[string], ErasedRow>(`${ERASED_DEVICES.sql} WHERE user_hash = ?`);
  const ofToken = db.prepare<[string], ErasedRow>(`${ERASED_DEVICES.sql} WHERE token_hash = ?`);

  return function trace({ userHashes, tokenHashes }: Forgotten): Traces {
    const devices = new Map<string, ErasedRow>();
    for (const hash of userHashes) {
      for (const row of ofUser.all(fingerprint(hash))) devices.set(row.id, row);
    }
    for (const hash of tokenHashes) {
      for (const row of ofToken.all(fingerprint(hash))) devices.set(row.id, row);
    }
    const theirs = new Set([...devices.values()].map(({ token_hash }) => token_hash));
    const alone = [...theirs].filter((hash) =>
      ofToken.all(hash).every(({ id }) => devices.has(id)),
    );
    return {
      devices: [...devices.values()],
      tokenHashes: [...new Set([...tokenHashes, ...alone])],
    };
  };
}

/** Removes fingerprints and device from the rows of ended deliveries and of refusals. */
function prepareBlank(db: Database.Database) {
  const blankWhere = (condition: string) =>
    db.prepare<{ readonly value: string; readonly limit: number }>(
      `UPDATE deliveries SET token_hash = '${FORGOTTEN_TOKEN}', subject_hash = NULL, device_id = NULL
       WHERE row_id IN (
         SELECT row_id FROM deliveries WHERE ${condition} AND status <> 'queued' LIMIT @limit)`,
    );
  // The same rows, before they are changed.
  const awaitedWhere = (condition: string) =>
    db.prepare<{ readonly value: string; readonly limit: number }>(
      `DELETE FROM awaited_receipts WHERE row_id IN (
         SELECT row_id FROM deliveries WHERE ${condition} AND status <> 'queued' LIMIT @limit)`,
    );
  const refusalsWhere = (condition: string) =>
    db.prepare<{ readonly value: string; readonly limit: number }>(
      `UPDATE refusals SET token_hash = NULL, subject_hash = NULL, device_id = NULL
       WHERE row_id IN (SELECT row_id FROM refusals WHERE ${condition} LIMIT @limit)`,
    );
  const eventsWhere = (condition: string) =>
    db.prepare<{ readonly value: string; readonly limit: number }>(
      `UPDATE events SET token_hash = NULL, token_sha256 = NULL, subject_sha256 = NULL,
         device_id = NULL
       WHERE row_id IN (SELECT row_id FROM events WHERE ${condition} LIMIT @limit)`,
    );
  const eventsOfDevice = eventsWhere('device_id = @value');
  const eventsOfToken = eventsWhere('token_hash = @value');
  const awaitedOfDevice = awaitedWhere('device_id = @value');
  const awaitedOfToken = awaitedWhere('token_hash = @value');
  const ofDevice = blankWhere('device_id = @value');
  const ofToken = blankWhere('token_hash = @value');
  const refusalsOfDevice = refusalsWhere('device_id = @value');
  const refusalsOfToken = refusalsWhere('token_hash = @value');

  return function blank({ devices, tokenHashes }: Traces, limit: number): number {
    let changed = 0;
    const run = (statement: typeof ofDevice, value: string) => {
      changed += statement.run({ value, limit: limit - changed }).changes;
    };
    for (const { id } of devices) {
      awaitedOfDevice.run({ value: id, limit: limit - changed });
      run(ofDevice, id);
      run(refusalsOfDevice, id);
      run(eventsOfDevice, id);
    }
    for (const hash of tokenHashes) {
      awaitedOfToken.run({ value: hash, limit: limit - changed });
      run(ofToken, hash);
      run(refusalsOfToken, hash);
      run(eventsOfToken, hash);
    }
    return changed;
  };
}
