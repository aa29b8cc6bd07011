// The types of Hono's context as every route of this service gets it.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

export interface HttpEnv {
  /** Node's own request and response: read only, Hono writes every answer. */
  readonly Bindings: HttpBindings;
}

export type HttpContext = Context<HttpEnv>;
