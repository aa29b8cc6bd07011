// Events about receipts: a push that woke its phone, a phone that fell silent, a phone that returned. The log
// has no token by then: its SHA-256 is in the phone's history.

import type { EventType } from '../../../core/events/catalogue.ts';
import type { RecordedReceipt, RepliedPhone, SilentPhone } from '../../../core/ports/receipts.ts';
import type { NewEvent } from '../../events.ts';
import type { Rows } from '../../rows.ts';
import type { Run } from '../database.ts';
import { compute } from '../statements.ts';
import { isAnyWished, recordEvents } from './recording.ts';

export async function recordReceiptEvents(
  run: Run,
  recorded: RecordedReceipt,
  atMs: number,
): Promise<void> {
  const types: readonly EventType[] = [
    ...(recorded.isFirst && recorded.isKept ? (['delivery.woke'] as const) : []),
    ...(recorded.hasReturned ? (['device.returned'] as const) : []),
  ];
  if (!(await isAnyWished(run, types))) return;
  const { app, provider, type: notificationType, deliveryId, tokenHash } = recorded;
  const [phone] = await findPhones(run, [tokenHash]);
  const event = { ...phone, atMs, app, provider, deliveryId, notificationType };
  await recordEvents(
    run,
    types.map((type) => ({ ...event, type })),
  );
}

export async function recordReplyEvents(
  run: Run,
  { app, tokenHash, hasReturned }: RepliedPhone,
  { deliveryId, atMs }: { readonly deliveryId: string; readonly atMs: number },
): Promise<void> {
  const type = 'device.returned';
  if (!hasReturned || !(await isAnyWished(run, [type]))) return;
  const [phone] = await findPhones(run, [tokenHash]);
  await recordEvents(run, [{ ...phone, atMs, type, app, deliveryId }]);
}

export async function recordSilentEvents(
  run: Run,
  phones: readonly SilentPhone[],
  atMs: number,
): Promise<void> {
  const type = 'device.silent';
  if (phones.length === 0 || !(await isAnyWished(run, [type]))) return;
  const tokenHashes = phones.map(({ tokenHash }) => tokenHash);
  const found = await findPhones(run, tokenHashes);
  const events = phones.map(({ app }, index): NewEvent => ({ ...found[index], atMs, type, app }));
  await recordEvents(run, events);
}

const PHONE_COLUMNS = {
  token_hash: 'text',
  token_sha256: 'text?',
  device_id: 'text?',
} as const;
const PHONES: Rows<typeof PHONE_COLUMNS> = {
  columns: PHONE_COLUMNS,
  sql: `SELECT given.token_hash, token_sha256,
      (SELECT id FROM devices WHERE devices.token_hash = given.token_hash
       ORDER BY row_id LIMIT 1) AS device_id
    FROM unnest(@tokenHashes::text[]) WITH ORDINALITY AS given(token_hash, number)
      LEFT JOIN wake_histories ON wake_histories.token_hash = given.token_hash
    ORDER BY number`,
};

/** One for each token, in the same order. */
async function findPhones(run: Run, tokenHashes: readonly string[]) {
  const rows = await compute(run, PHONES, { tokenHashes });
  return rows.map(({ token_hash: tokenHash, token_sha256, device_id }) => ({
    ...{ tokenHash, deviceId: device_id ?? undefined, tokenSha256: token_sha256 ?? undefined },
  }));
}
