// Writes events in the transaction of the facts that they report. While no endpoint asks for a type, nothing is
// written.

import { randomUUID } from 'node:crypto';
import type { DeliveryStatus } from '../../../core/delivery.ts';
import { type EventType, eventOfEnd, isWished } from '../../../core/events/catalogue.ts';
import { type ENDED_DELIVERIES, WISHES } from '../../event-rows.ts';
import { type NewEvent, type StoredWish, toEndEvent, toWish } from '../../events.ts';
import type { RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { maybeFingerprint } from '../../values.ts';
import type { Run } from '../database.ts';
import { inputOf } from '../input.ts';
import { select } from '../statements.ts';
import { wall } from '../times.ts';
import { countForDigests } from './digest-counts.ts';

/** The wishes of every endpoint, including disabled ones. Another machine may change them at any moment. */
export async function listWishes(run: Run): Promise<readonly StoredWish[]> {
  return (await select(run, WISHES, 'ORDER BY row_id')).map(toWish);
}

export async function isAnyWished(run: Run, types: readonly EventType[]): Promise<boolean> {
  if (types.length === 0) return false;
  const wishes = await listWishes(run);
  return wishes.some((wish) => types.some((type) => wish.types.has(type)));
}

const ADDED = inputOf<NewEvent>({
  id: ['text', () => `evt_${randomUUID()}`],
  at: ['timestamptz', ({ atMs }) => wall(atMs)],
  type: ['text', ({ type }) => type],
  app: ['text', ({ app }) => app ?? null],
  provider: ['text', ({ provider }) => provider ?? null],
  delivery_id: ['text', ({ deliveryId }) => deliveryId ?? null],
  device_id: ['text', ({ deviceId }) => deviceId ?? null],
  notification_type: ['text', ({ notificationType }) => notificationType ?? null],
  reason: ['text', ({ reason }) => reason ?? null],
  token_hash: ['text', ({ tokenHash }) => maybeFingerprint(tokenHash)],
  token_sha256: ['text', ({ tokenSha256 }) => tokenSha256 ?? null],
  subject_sha256: ['text', ({ subjectSha256 }) => subjectSha256 ?? null],
  endpoint_id: ['text', ({ endpointId }) => endpointId ?? null],
});

/** The events that any endpoint asked for, in their order. */
export async function recordEvents(run: Run, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const wishes = await listWishes(run);
  await insertEvents(
    run,
    events.filter((event) => wishes.some((wish) => isWished(wish, event))),
    wishes,
  );
}

async function insertEvents(
  run: Run,
  events: readonly NewEvent[],
  wishes: readonly StoredWish[],
): Promise<void> {
  if (events.length === 0) return;
  const columns = `id, at, type, app, provider, delivery_id, device_id, notification_type, reason,
    token_hash, token_sha256, subject_sha256, endpoint_id`;
  await run(
    `INSERT INTO events (${columns}) SELECT ${columns} FROM ${ADDED.sql}`,
    ADDED.valuesOf(events),
  );
  // Last, because other machines wait for its locks.
  await countForDigests(run, events, wishes);
}

export interface EndedDelivery {
  /** The row with its content, which the end erases. */
  readonly row: RowOf<typeof ENDED_DELIVERIES>;
  readonly status: Exclude<DeliveryStatus, 'queued'>;
  readonly reason: string | null;
  readonly wallMs: number;
}

export async function recordEnds(
  run: Run,
  ended: readonly EndedDelivery[],
  sealer: Sealer,
): Promise<void> {
  if (ended.length === 0) return;
  const wishes = await listWishes(run);
  const events = ended.flatMap(({ row, status, ...end }) => {
    const type = eventOfEnd(status);
    // Nobody asked for this type, so the content is not decrypted.
    if (!wishes.some(({ types }) => types.has(type))) return [];
    const event = toEndEvent(row, { type, ...end }, sealer);
    return wishes.some((wish) => isWished(wish, event)) ? [event] : [];
  });
  await insertEvents(run, events, wishes);
}
