// Two transports to one provider: tokens that never worked travel apart, because APNs closes a connection
// that carries many bad tokens, and that must not be the one which the proven ones use.

import type { Trust } from '../../core/ports/provider.ts';
import type { PoolOptions, TransportEvent } from './pool.ts';
import { Transport } from './transport.ts';

export type LaneEvent = TransportEvent & { readonly lane: Trust };

export interface LanesOptions extends Omit<PoolOptions, 'keepWarm' | 'maxConnections' | 'onEvent'> {
  readonly onEvent?: (event: LaneEvent) => void;
}

export interface Lanes {
  /** The second one is opened when it is needed first. */
  of(trust: Trust): Transport;
  close(): Promise<void>;
}

/**
 * Ten carry a thousand pushes at Google's 100 streams each; APNs takes as many on one or two. Strangers'
 * tokens get less: whoever invents them must not make the service open connections.
 */
const MAX_CONNECTIONS: Readonly<Record<Trust, number>> = { proven: 10, unproven: 2 };

export function createLanes({ onEvent, ...options }: LanesOptions): Lanes {
  const create = (lane: Trust): Transport =>
    new Transport({
      ...options,
      maxConnections: MAX_CONNECTIONS[lane],
      keepWarm: lane === 'proven',
      ...(onEvent === undefined ? {} : { onEvent: (event) => onEvent({ ...event, lane }) }),
    });
  const proven = create('proven');
  let unproven: Transport | undefined;

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
