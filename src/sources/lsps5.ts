// bLIP-55 (LSPS5): a Lightning service provider wakes its client. It signs the timestamp header and the body
// with its node key. Both are checked as they were sent: implementations write the same time differently.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServiceError } from '../core/errors.ts';
import type { Source, SourceCredentials, SourceRequest } from '../core/ports/source.ts';
import { checkBody, exactInteger, IGNORED, jsonObject, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { findSigner, isSignature, recoverSigner } from './signatures/lightning-message.ts';
import { parseRfc3339, REPEAT_WINDOW_MS, requireFresh } from './time.ts';

const TIMESTAMP = 'x-lsps5-timestamp';
const SIGNATURE = 'x-lsps5-signature';

/** The older LSPS5 text's rule; bLIP-55 has none and relies on TLS. */
const LSPS5_TOLERANCE_MS = 10 * 60_000;
/** Where any time is fresh, a replay is recognised for as long as that of a source that signs no time. */
const TIMELESS_WINDOW_MS = REPEAT_WINDOW_MS;

/** Block heights have 32 bits in lightning-liquidity. */
const blockHeight = exactInteger(2n ** 32n - 1n);
const noParameters = z.object({ params: z.object({}) });
const timeoutOnly = z.object({ params: z.object({ timeout: blockHeight }) });

/** The methods of bLIP-55 with the parameters it names; others must be ignored. */
const METHODS = {
  'lsps5.webhook_registered': { type: 'lsps5_webhook_registered', body: noParameters },
  'lsps5.payment_incoming': { type: 'lsps5_payment_incoming', body: noParameters },
  'lsps5.expiry_soon': { type: 'lsps5_expiry_soon', body: timeoutOnly },
  'lsps5.liquidity_management_request': {
    type: 'lsps5_liquidity_management_request',
    body: noParameters,
  },
  'lsps5.onion_message_incoming': { type: 'lsps5_onion_message_incoming', body: noParameters },
} as const;

export type Lsps5Method = keyof typeof METHODS;

export const LSPS5_METHODS: readonly Lsps5Method[] = Object.keys(METHODS).filter(isKnown);

export interface Lsps5Options {
  /** How far the signed time may be from now, both ways; undefined for no limit, as in bLIP-55. */
  readonly toleranceMs: number | undefined;
  /** What is pushed; the service may filter by its own policy (bLIP-55). The others are answered 200 `ignored`. */
  readonly methods: readonly Lsps5Method[];
}

export const LSPS5_DEFAULTS: Lsps5Options = {
  toleranceMs: LSPS5_TOLERANCE_MS,
  methods: LSPS5_METHODS,
};

/** The methods that a call may name are not all known: bLIP-55 has new ones ignored. */
export const lsps5Body = z.object({
  jsonrpc: z.literal('2.0', 'must be "2.0"'),
  method: requiredString,
  params: jsonObject,
  id: z.never('must be absent: this is a notification').optional(),
});

export function createLsps5({ toleranceMs, methods }: Lsps5Options): Source {
  // As long as a call can be fresh: signed 10 minutes ahead of now, it stays so for 20.
  const replayWindowMs = toleranceMs === undefined ? TIMELESS_WINDOW_MS : 2 * toleranceMs;
  const precheck = (request: SourceRequest): void => {
    const timeMs = parseRfc3339(request.headers[TIMESTAMP] ?? '');
    const nowMs = request.receivedAtMs;
    requireFresh({ header: TIMESTAMP, timeMs, nowMs, toleranceMs });
    const signature = request.headers[SIGNATURE];
    if (signature === undefined) refuse(`The header ${SIGNATURE} is missing.`);
    if (!isSignature(signature)) refuse(`The header ${SIGNATURE} is malformed.`);
  };
  return {
    name: 'lsps5',
    statuses: {},

    precheck,

    authenticate(request, credentials) {
      precheck(request);
      if (signerOf(request, credentials) === undefined) {
        refuse(`The header ${SIGNATURE} is not of a node that may wake this device.`);
      }
    },

    signerOf: (request) => {
      return recoverSigner(messageOf(request), request.headers[SIGNATURE] ?? '');
    },

    parse(request, credentials) {
      const body = checkBody(lsps5Body, parseExactJson(decodeBody(request.body)));
      const { method } = body;
      if (!isKnown(method) || !methods.includes(method)) return IGNORED;
      const { type, body: known } = METHODS[method];
      const { params } = checkBody<{ params: object }>(known, body);
      const lspNodeId = soleNode(credentials) ?? signerOf(request, credentials) ?? '';
      const timestamp = request.headers[TIMESTAMP] ?? '';
      return {
        kind: 'notification',
        notification: {
          type,
          payload: deepPayloadOf({ lsp_node_id: lspNodeId, method, params, timestamp }),
          duplicateOf: {
            key: JSON.stringify([lspNodeId, timestamp, sha256(request.body)]),
            windowMs: replayWindowMs,
          },
        },
      };
    },
  };
}

function isKnown(method: string): method is Lsps5Method {
  return Object.hasOwn(METHODS, method);
}

function signerOf(request: SourceRequest, { nodeIds }: SourceCredentials): string | undefined {
  return findSigner(messageOf(request), request.headers[SIGNATURE] ?? '', nodeIds);
}

function messageOf({ headers, body }: SourceRequest): Uint8Array {
  const beginning = `LSPS5: DO NOT SIGN THIS MESSAGE MANUALLY: LSP: At ${headers[TIMESTAMP]} I notify `;
  return Buffer.concat([Buffer.from(beginning), body]);
}

/** Most devices have one provider: then the signer is known without recovering its key a second time. */
function soleNode({ nodeIds }: SourceCredentials): string | undefined {
  return nodeIds.length === 1 ? nodeIds[0]?.toLowerCase() : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refuse(detail: string): never {
  throw new ServiceError('bad_signature', { detail });
}
