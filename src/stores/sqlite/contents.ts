// What of an open delivery is secret, as it is sealed: token, app_data, title and payload.

import type { Delivery } from '../../core/delivery.ts';
import type { Sealer } from './seal.ts';

export interface Contents {
  readonly token: string;
  readonly appData?: string;
  readonly title: string;
  readonly payload: string;
}

export function sealContents(sealer: Sealer, id: Buffer, delivery: Delivery): Buffer {
  const { target, notification } = delivery;
  const list = [target.token, target.appData ?? null, notification.title, notification.payload];
  return sealer.seal(Buffer.from(JSON.stringify(list)), contextOf(id));
}

/** Nothing if it cannot be decrypted or is not what `sealContents` wrote. */
export function openContents(sealer: Sealer, id: Buffer, sealed: Buffer): Contents | undefined {
  const plain = sealer.open(sealed, contextOf(id));
  if (plain === undefined) return undefined;
  const list: unknown = JSON.parse(plain.toString());
  if (!Array.isArray(list)) return undefined;
  const [token, appData, title, payload]: unknown[] = list;
  if (typeof token !== 'string' || typeof title !== 'string' || typeof payload !== 'string') {
    return undefined;
  }
  return { token, title, payload, ...(typeof appData === 'string' ? { appData } : {}) };
}

/** A sealed value moved to another row cannot be opened there. */
export function contextOf(id: Buffer): string {
  return id.toString('hex');
}
