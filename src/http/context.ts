// The types of Hono's context as every route of this service gets it.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ErrorCode, ServiceError } from '../core/errors.ts';
import type { Principal } from '../core/operating/scopes.ts';
import type { Recipient } from '../core/target.ts';

export interface HttpEnv {
  /** Node's own request and response: read only, Hono writes every answer. */
  readonly Bindings: HttpBindings & {
    /** From a listener whose callers need no key. */
    readonly principal?: Principal | undefined;
  };
  readonly Variables: {
    /** Of every request; its caller has it as `Request-Id`. */
    readonly requestId: string;
    /** No route serves the path. */
    readonly isUnrouted?: boolean;
    /** What the observer hears of a call, as it becomes known. */
    readonly source?: string;
    readonly app?: string;
    readonly type?: string;
    readonly told?: string;
    readonly refusal?: ServiceError;
    /** Why a notification was taken and not pushed. */
    readonly ignoredFor?: ErrorCode;
    /** What became of each delivery that the answer is about. */
    readonly deliveries?: readonly EndedDelivery[];
    /** Whom the call is for and what it is about. */
    readonly recipient?: Pick<Recipient, 'target' | 'deviceId'>;
    readonly handle?: { readonly door: string; readonly handle: string };
    readonly subject?: string | undefined;
    /** The URL names a domain that is configured. */
    readonly hasDomain?: boolean;
    /** The Lightning node that signed, where its signature was refused. */
    readonly nodeId?: string | undefined;
  };
}

export interface EndedDelivery {
  /** Absent where it was refused before it was one. */
  readonly id?: string | undefined;
  readonly status: string;
  readonly code?: ErrorCode;
}

export type HttpContext = Context<HttpEnv>;
