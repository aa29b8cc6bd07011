// Forgets users and tokens: their devices, and their traces in the log. The rows of the log come first, a few in each
// transaction, and the devices with the last of them: as long as a device exists, it shows which rows are left.

import type { ForgetResult, Forgotten } from '../../../core/ports/operating.ts';
import { ERASED_DEVICES, OPEN_DELIVERIES, type Traces } from '../../rows.ts';
import { DEVICE_DELETED, fingerprint } from '../../values.ts';
import { takeCount } from '../counts.ts';
import type { Run } from '../database.ts';
import { eraseDevices } from '../devices/operations.ts';
import { BLANK } from '../operations/finish.ts';
import { finishOpen, OPEN_IN_ORDER } from '../operations/finish-open.ts';
import { takePhone } from '../receipts/histories.ts';
import { change, select } from '../statements.ts';

/** Changes up to `limit` rows of deliveries that have ended; 0 if none is left. */
export async function forgetRows(
  run: Run,
  { limit, ...forgotten }: Forgotten & { readonly limit: number },
): Promise<number> {
  return await blank(run, await trace(run, forgotten), limit);
}

/** Everything that is left, in one transaction. */
export async function forgetDevices(
  run: Run,
  { wallMs, ...forgotten }: Forgotten & { readonly wallMs: number },
): Promise<ForgetResult> {
  await takeCount(run, 'devices');
  const traces = await trace(run, forgotten);
  const { devices, tokenHashes } = traces;
  await eraseDevices(run, devices, wallMs);
  const condition = `WHERE token_hash = ANY(@tokenHashes) ${OPEN_IN_ORDER}`;
  const open = await select(run, OPEN_DELIVERIES, condition, { tokenHashes });
  await finishOpen(run, open, { status: 'rejected', reason: DEVICE_DELETED, wallMs });
  for (const table of ['quarantine', 'wake_histories']) {
    await change(run, `DELETE FROM ${table} WHERE token_hash = ANY(@tokenHashes)`, { tokenHashes });
  }
  const deliveries = await blank(run, traces, Number.MAX_SAFE_INTEGER);
  return { devices: devices.length, deliveries, tokenHashes };
}

/** Records about their phones that are being written come first, and are forgotten with the rest. */
async function trace(run: Run, forgotten: Forgotten): Promise<Traces> {
  const tokenHashes = forgotten.tokenHashes.map(fingerprint);
  const userHashes = forgotten.userHashes.map(fingerprint);
  const devices = await select(
    run,
    ERASED_DEVICES,
    'WHERE user_hash = ANY(@userHashes) OR token_hash = ANY(@tokenHashes) ORDER BY row_id',
    { userHashes, tokenHashes },
  );
  const theirs = [...new Set(devices.map(({ token_hash }) => token_hash))];
  const rowIds = devices.map(({ row_id }) => row_id);
  const condition = 'WHERE token_hash = ANY(@theirs) AND NOT row_id = ANY(@rowIds)';
  const others = await select(run, ERASED_DEVICES, condition, { theirs, rowIds });
  const shared = new Set(others.map(({ token_hash }) => token_hash));
  const alone = theirs.filter((hash) => !shared.has(hash));
  const traced = new Set([...tokenHashes, ...alone]);
  for (const tokenHash of [...traced].toSorted()) await takePhone(run, tokenHash);
  return { devices, tokenHashes: [...traced] };
}

/** What is removed from the rows of each table, and which rows are deleted with them. */
const BLANKED = [
  {
    table: 'deliveries',
    changes: BLANK,
    condition: "AND status <> 'queued'",
    children: ['awaited_receipts'],
  },
  {
    table: 'refusals',
    changes: 'token_hash = NULL, subject_hash = NULL, device_id = NULL',
    condition: '',
    children: [],
  },
  {
    table: 'events',
    changes: 'token_hash = NULL, token_sha256 = NULL, subject_sha256 = NULL, device_id = NULL',
    condition: '',
    children: [],
  },
] as const;

/** Removes fingerprints and device from the rows of ended deliveries, of refusals and of events. */
async function blank(run: Run, { devices, tokenHashes }: Traces, limit: number): Promise<number> {
  const given = {
    device_id: devices.map(({ id }) => id),
    token_hash: tokenHashes,
  };
  let changed = 0;
  for (const [column, values] of Object.entries(given)) {
    if (values.length === 0) continue;
    for (const { table, changes, condition, children } of BLANKED) {
      const theirs = `(SELECT row_id FROM ${table} WHERE ${column} = ANY(@values) ${condition}
        ORDER BY row_id LIMIT @limit FOR UPDATE)`;
      const bounds = { values, limit: limit - changed };
      for (const child of children) {
        await change(run, `DELETE FROM ${child} WHERE row_id IN ${theirs}`, bounds);
      }
      const sql = `UPDATE ${table} SET ${changes} WHERE row_id IN ${theirs}`;
      changed += await change(run, sql, bounds);
    }
  }
  return changed;
}
