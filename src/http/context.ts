// The types of Hono's context as every route of this service gets it.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ServiceError } from '../core/errors.ts';

export interface HttpEnv {
  /** Node's own request and response: read only, Hono writes every answer. */
  readonly Bindings: HttpBindings;
  readonly Variables: {
    /** No route serves the path. */
    readonly isUnrouted?: boolean;
    /** What the observer hears of a call, as it becomes known. */
    readonly source?: string;
    readonly app?: string;
    readonly type?: string;
    readonly told?: string;
    readonly refusal?: ServiceError;
  };
}

export type HttpContext = Context<HttpEnv>;
