// Two clients of one provider: tokens that never worked have connections of their own, because APNs closes a
// connection that carries many bad tokens, and it must not be the one that the proven tokens use.

import type { Trust } from '../../core/ports/provider.ts';
import { Http2Client } from './client.ts';
import type { PoolEvent, PoolOptions } from './pool.ts';

export type ConnectionEvent = PoolEvent & { readonly trust: Trust };

export interface ClientOptions
  extends Omit<PoolOptions, 'keepWarm' | 'maxConnections' | 'onEvent'> {
  readonly onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export interface ClientsByTrust {
  /** The one for unproven tokens is opened when it is needed first. */
  of(trust: Trust): Http2Client;
  close(): Promise<void>;
}

/**
 * Ten carry a thousand pushes at Google's 100 streams each; APNs takes as many on one or two. Strangers'
 * tokens get less: inventing tokens must not make the service open connections.
 */
const MAX_CONNECTIONS: Readonly<Record<Trust, number>> = { proven: 10, unproven: 2 };

export function createClients({ onEvent, ...options }: ClientOptions): ClientsByTrust {
  const create = (trust: Trust): Http2Client =>
    new Http2Client({
      ...options,
      maxConnections: MAX_CONNECTIONS[trust],
      keepWarm: trust === 'proven',
      onEvent: (event) => onEvent?.({ ...event, trust }),
    });
  const proven = create('proven');
  let unproven: Http2Client | undefined;

  return {
    of(trust) {
      if (trust === 'proven') return proven;
      unproven ??= create('unproven');
      return unproven;
    },
    async close() {
      await Promise.all([proven.close(), unproven?.close()]);
    },
  };
}
