// What every door gets: Node's own request and response, what the router found in the path, and the id under which
// the request is logged.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Ids } from '../core/ports/ids.ts';

export interface Call {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** A part of the path by its name in the route; empty if the route has none. */
  param(name: string): string;
  /** The first value of a parameter of the query. */
  query(name: string): string | undefined;
}

/** Request ids, made only for the requests that need one. */
export class RequestIds {
  readonly #ids: Ids;
  readonly #byCall = new WeakMap<Call, string>();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  of(call: Call): string {
    const known = this.#byCall.get(call);
    if (known !== undefined) return known;
    const id = this.#ids.deliveryId();
    this.#byCall.set(call, id);
    return id;
  }
}
