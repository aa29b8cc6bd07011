// What the vendor is told of receipts: a push that woke its phone, a phone that fell silent, one that returned. The log
// has no token any more; where the phone is registered its registration has it.

import { tokenSha256 } from '../../../core/events/body.ts';
import type { EventType } from '../../../core/events/catalogue.ts';
import type { RecordedReceipt, SilentPhone } from '../../../core/ports/receipts.ts';
import type { NewEvent } from '../../events.ts';
import { DEVICES } from '../../rows.ts';
import { openDeviceContent } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Run } from '../database.ts';
import { select } from '../statements.ts';
import { listWishes, recordEvents } from './recording.ts';

interface Telling {
  readonly atMs: number;
  readonly sealer: Sealer;
}

export async function recordReceiptEvents(
  run: Run,
  recorded: RecordedReceipt,
  { atMs, sealer }: Telling,
): Promise<void> {
  const types: readonly EventType[] = [
    ...(recorded.isFirst && recorded.isKept ? (['delivery.woke'] as const) : []),
    ...(recorded.hasReturned ? (['device.returned'] as const) : []),
  ];
  if (!(await isAnyWished(run, types))) return;
  const { app, provider, type: notificationType, deliveryId, tokenHash } = recorded;
  const [phone] = await findPhones(run, [tokenHash], sealer);
  const event = { ...phone, atMs, app, provider, deliveryId, notificationType };
  await recordEvents(
    run,
    types.map((type) => ({ ...event, type })),
  );
}

export async function recordSilentEvents(
  run: Run,
  phones: readonly SilentPhone[],
  { atMs, sealer }: Telling,
): Promise<void> {
  const type = 'device.silent';
  if (phones.length === 0 || !(await isAnyWished(run, [type]))) return;
  const found = await findPhones(
    run,
    phones.map(({ tokenHash }) => tokenHash),
    sealer,
  );
  const events = phones.map(({ app }, index): NewEvent => ({ ...found[index], atMs, type, app }));
  await recordEvents(run, events);
}

async function isAnyWished(run: Run, types: readonly EventType[]): Promise<boolean> {
  if (types.length === 0) return false;
  const wishes = await listWishes(run);
  return wishes.some((wish) => types.some((type) => wish.types.has(type)));
}

/** One for each token, in their order. */
async function findPhones(run: Run, tokenHashes: readonly string[], sealer: Sealer) {
  const condition = 'WHERE token_hash = ANY(@tokenHashes) ORDER BY row_id';
  const rows = await select(run, DEVICES, condition, { tokenHashes });
  return tokenHashes.map((tokenHash) => {
    const row = rows.find(({ token_hash }) => token_hash === tokenHash);
    const content = row && openDeviceContent(sealer, row);
    return { tokenHash, deviceId: row?.id, tokenSha256: content && tokenSha256(content.token) };
  });
}
