// How a delivery ended that something else ended than its run in this process: its device was deleted, or another
// machine has it.

import type { Next } from '../delivery.ts';
import type { Store } from '../ports/store.ts';
import type { Ledger } from './ledger.ts';

export interface FindEndParts {
  readonly store: Pick<Store, 'findDeliveries'>;
  readonly ledger: Ledger;
}

/** Undefined while it is open, and if the log does not say. Never rejects. */
export async function findEnd(
  { store, ledger }: FindEndParts,
  deliveryId: string,
): Promise<Exclude<Next, { readonly status: 'queued' }> | undefined> {
  const find = () => store.findDeliveries({ id: deliveryId, limit: 1 });
  const [row] = (await ledger.beside('find_deliveries', find, deliveryId)) ?? [];
  if (row === undefined || row.status === 'queued') return undefined;
  return { status: row.status, reason: row.reason };
}
