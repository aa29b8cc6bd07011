// The Breez family: lspd, the chain service, breez-lnurl, Boltz and http-nostr post these bodies to one door.
// The rules are those of breez/notify (http/router.go); where they differ, a comment says why.

import { z } from 'zod';
import type { Fault } from '../core/fault.ts';
import type { ParsedNotification } from '../core/notification.ts';
import type { Parsed } from '../core/ports/source.ts';
import { badBody, optionalString as optional, requiredString as required } from './fields.ts';
import { decodeBody, parseExactJson, parseJson, payloadOf } from './json.ts';
import { isNostrEvent, isNwcRequest, NWC_REQUEST_KIND, nostrEventId } from './nostr-event.ts';
import { REPEAT_WINDOW_MS } from './time.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/**
 * How long a repeat is the same notification. lspd is quiet for 30 s after a success and then means it
 * again; the others repeat calls that they count as lost (Boltz up to 5 times, on a 60 s tick).
 */
const WINDOW_MS = {
  payment_received: 25 * SECOND,
  confirmed: 10 * MINUTE,
  lnurlpay: 2 * MINUTE,
  swap_updated: 10 * MINUTE,
  nwc_event: REPEAT_WINDOW_MS,
} as const;

const MAX_AMOUNT_MSAT = 2n ** 64n - 1n;

/** Millisatoshi, an unsigned 64-bit integer above 0, written in plain digits (Go's uint64 takes no other form). */
const amount = z
  .custom<{ readonly rawJSON: string }>(
    (value) =>
      JSON.isRawJSON(value) &&
      /^[1-9][0-9]{0,19}$/.test(value.rawJSON) &&
      BigInt(value.rawJSON) <= MAX_AMOUNT_MSAT,
    `is required: an integer of millisatoshi from 1 to ${MAX_AMOUNT_MSAT}`,
  )
  .meta({ type: 'integer', minimum: 1, description: `Millisatoshi, at most ${MAX_AMOUNT_MSAT}.` });

interface Shape {
  /** The shape needs the literal digits of its numbers. */
  readonly exactNumbers?: true;
  /** Of `data`. */
  readonly fields: z.ZodType;
  parse(data: unknown): z.ZodSafeParseResult<Parsed>;
}

function shape<Fields>(
  fields: z.ZodType<Fields>,
  toRequest: (fields: Fields) => Parsed,
  options: { readonly exactNumbers?: true } = {},
): Shape {
  const schema = fields.transform(toRequest);
  return { ...options, fields, parse: (data) => schema.safeParse(data) };
}

function notification(parsed: ParsedNotification): Parsed {
  return { kind: 'notification', notification: parsed };
}

const swapUpdated = shape(z.object({ id: required, status: required }), ({ id, status }) =>
  notification({
    type: 'swap_updated',
    payload: payloadOf({ id, status }),
    subject: id,
    duplicateOf: { key: JSON.stringify([id, status]), windowMs: WINDOW_MS.swap_updated },
  }),
);

function nwcEvent(event: string): Parsed {
  return notification({
    type: 'nwc_event',
    payload: payloadOf({ event }),
    duplicateOf: { key: nostrEventId(event) ?? event, windowMs: WINDOW_MS.nwc_event },
  });
}

/** Bodies with a `template`. */
const TEMPLATES: Readonly<Record<string, Shape>> = {
  payment_received: shape(z.object({ payment_hash: required }), ({ payment_hash }) =>
    notification({
      type: 'payment_received',
      payload: payloadOf({ payment_hash }),
      subject: payment_hash,
      duplicateOf: { key: payment_hash, windowMs: WINDOW_MS.payment_received },
    }),
  ),
  tx_confirmed: shape(z.object({ tx_id: required }), ({ tx_id }) =>
    notification({
      type: 'tx_confirmed',
      payload: payloadOf({ tx_id }),
      subject: tx_id,
      duplicateOf: { key: tx_id, windowMs: WINDOW_MS.confirmed },
    }),
  ),
  address_txs_confirmed: shape(z.object({ address: required }), ({ address }) =>
    notification({
      type: 'address_txs_confirmed',
      payload: payloadOf({ address }),
      subject: address,
      duplicateOf: { key: address, windowMs: WINDOW_MS.confirmed },
    }),
  ),
  lnurlpay_info: shape(z.object({ callback_url: required, reply_url: required }), (data) =>
    notification({
      type: 'lnurlpay_info',
      payload: payloadOf(data),
      duplicateOf: { key: data.reply_url, windowMs: WINDOW_MS.lnurlpay },
    }),
  ),
  lnurlpay_invoice: shape(
    z.object({
      amount,
      reply_url: required,
      comment: optional,
      verify_url: optional,
      nostr: optional,
    }),
    (data) =>
      notification({
        type: 'lnurlpay_invoice',
        payload: payloadOf(data),
        duplicateOf: { key: data.reply_url, windowMs: WINDOW_MS.lnurlpay },
      }),
    { exactNumbers: true },
  ),
  lnurlpay_verify: shape(z.object({ payment_hash: required, reply_url: required }), (data) =>
    notification({
      type: 'lnurlpay_verify',
      payload: payloadOf(data),
      subject: data.payment_hash,
      duplicateOf: { key: data.reply_url, windowMs: WINDOW_MS.lnurlpay },
    }),
  ),
  nwc_event: shape(z.object({ event: required }), ({ event }) => nwcEvent(event)),
  // breez/notify does not know this template; the Liquid SDK's documentation shows it.
  swap_updated: swapUpdated,
};

const INVOICE_REQUEST = 'invoice_request';

/** Bodies with an `event`: Boltz. */
const EVENTS: Readonly<Record<string, Shape>> = {
  'swap.update': swapUpdated,
  'invoice.request': shape(
    z.object({ offer: required, invoiceRequest: required }),
    ({ offer, invoiceRequest }) => ({
      kind: 'question',
      type: INVOICE_REQUEST,
      key: invoiceRequest,
      // Boltz writes camel case, the device reads snake case.
      notification: (replyUrl) => ({
        type: INVOICE_REQUEST,
        payload: payloadOf({ invoice_request: invoiceRequest, offer, reply_url: replyUrl }),
        subject: invoiceRequest,
      }),
    }),
  ),
};

/**
 * Reads a body of the Breez family from its raw bytes; the Content-Type is never looked at. Throws
 * `bad_body` with every fault named.
 *
 * `template` is tried first and `event` next, as breez/notify tries its shapes in order. `type` stands for
 * `template` only where neither is present (the Breez NDS guide writes it so). There, the body may also be a
 * wallet request of Nostr Wallet Connect by itself, as Alby's http-nostr posts it.
 */
export function parseBreezBody(bytes: Uint8Array): Parsed {
  const text = decodeBody(bytes);
  const body = parseJson(text);
  if (!isObject(body)) throw badBody([{ field: 'body', message: 'must be a JSON object' }]);

  if (!isNamed(body) && isNwcRequest(body)) return nwcEvent(text.trim());
  const candidates = candidatesFor(body);
  if (candidates.length === 0) throw badBody([unknownKind(body)]);
  let faults: readonly Fault[] = [];
  for (const candidate of candidates) {
    const exact = candidate.exactNumbers === true ? parseExactJson(text) : body;
    const result = candidate.parse(isObject(exact) ? exact.data : undefined);
    if (result.success) return result.data;
    if (faults.length === 0) faults = result.error.issues.map(toFault);
  }
  throw badBody(faults);
}

/** What the description of the API says about these bodies, by the value of `template` or `event`. */
export function breezBodies(): Readonly<Record<string, z.ZodType>> {
  const bodies = (key: 'template' | 'event', shapes: Readonly<Record<string, Shape>>) =>
    Object.entries(shapes).map(([name, { fields }]) => {
      return [name, z.object({ [key]: z.literal(name), data: fields })] as const;
    });
  return Object.fromEntries([...bodies('template', TEMPLATES), ...bodies('event', EVENTS)]);
}

function candidatesFor(body: Readonly<Record<string, unknown>>): readonly Shape[] {
  const template = isNamed(body) ? body.template : body.type;
  return [lookUp(TEMPLATES, template), lookUp(EVENTS, body.event)].filter(
    (candidate) => candidate !== undefined,
  );
}

function isNamed({ template, event }: Readonly<Record<string, unknown>>): boolean {
  return (template ?? event ?? undefined) !== undefined;
}

function lookUp(shapes: Readonly<Record<string, Shape>>, name: unknown): Shape | undefined {
  return typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
}

function unknownKind(body: Readonly<Record<string, unknown>>): Fault {
  const templates = Object.keys(TEMPLATES).join(', ');
  const events = Object.keys(EVENTS).join(', ');
  if (body.template === undefined && body.event !== undefined) {
    return { field: 'event', message: `must be one of ${events}` };
  }
  if (!isNamed(body) && isNostrEvent(body)) {
    return {
      field: 'kind',
      message: `must be ${NWC_REQUEST_KIND} in a Nostr event, with id and sig`,
    };
  }
  return {
    field: 'template',
    message: `must be one of ${templates}, or \`event\` one of ${events}`,
  };
}

function toFault(issue: {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}): Fault {
  if (issue.path.length === 0) return { field: 'data', message: 'is required: a JSON object' };
  return { field: `data.${issue.path.map(String).join('.')}`, message: issue.message };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
