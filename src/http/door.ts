// What every door gets: Node's own request and response, and the id under which the request is logged.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Ids } from '../core/ids.ts';

export interface DoorEnv {
  readonly Bindings: HttpBindings;
}

export type DoorContext = Context<DoorEnv>;

/** Request ids, made only for the requests that need one. */
export class RequestIds {
  readonly #ids: Ids;
  readonly #byContext = new WeakMap<DoorContext, string>();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  of(context: DoorContext): string {
    const known = this.#byContext.get(context);
    if (known !== undefined) return known;
    const id = this.#ids.deliveryId();
    this.#byContext.set(context, id);
    return id;
  }
}
