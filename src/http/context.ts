// The types of Hono's context as every route of this service gets it.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ErrorCode, ServiceError } from '../core/errors.ts';
import type { Principal } from '../core/operating/scopes.ts';
import type { Recipient } from '../core/target.ts';

export interface HttpEnv {
  /** Node's own request and response: read only, Hono writes every answer. */
  readonly Bindings: HttpBindings & {
    /** Set by a listener whose callers need no key. */
    readonly principal?: Principal | undefined;
  };
  readonly Variables: {
    /** Every request has one; its caller gets it as `Request-Id`. */
    readonly requestId: string;
    /** No route serves the path. */
    readonly isUnrouted?: boolean;
    /** What is reported to the observer about a call, as it becomes known. */
    readonly source?: string;
    readonly app?: string;
    readonly type?: string;
    readonly told?: string;
    readonly refusal?: ServiceError;
    /** Why a notification was accepted and not pushed. */
    readonly ignoredFor?: ErrorCode;
    /** What became of each delivery that the answer is about. */
    readonly deliveries?: readonly EndedDelivery[];
    /** The recipient and the subject of the call. */
    readonly recipient?: Named;
    readonly handle?: { readonly door: string; readonly handle: string };
    readonly subject?: string | undefined;
    /** The URL names a domain that is configured. */
    readonly hasDomain?: boolean;
    /** The Lightning node that signed, where its signature was refused. */
    readonly nodeId?: string | undefined;
  };
}

export interface EndedDelivery {
  /** Absent if the call was refused before there was a delivery. */
  readonly id?: string | undefined;
  readonly status: string;
  readonly code?: ErrorCode;
  /** The recipient, if the call has several. */
  readonly recipient?: Named | undefined;
}

export type Named = Pick<Recipient, 'target' | 'deviceId'>;

export type HttpContext = Context<HttpEnv>;
