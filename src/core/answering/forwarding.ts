// A device's reply that came to a machine other than the one that asked: finds the machine that asked, and signs the
// forwarded request so that this machine can trust it. The signature covers method, path, machine, epoch, time and
// body; a request that is sent again is refused because its id was used.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** 128 bits as base64url: of a machine's name, and of the secret behind it. */
const PART_CHARACTERS = 22;
const MAX_SKEW_SECONDS = 30;

export const FORWARDED_PATH = '/replies/';
export const FORWARD_HEADERS = {
  machine: 'nds-machine',
  epoch: 'nds-epoch',
  time: 'nds-time',
  signature: 'nds-signature',
} as const;

/** The id under which a device replies: the machine that asks, then the secret. */
export function replyIdOf(machine: string | undefined, secret: string): string {
  return `${machine ?? ''}${secret}`;
}

/** The machine that asked; absent in an id of a service that shares no store. */
export function machineOf(replyId: string): string | undefined {
  return replyId.length === 2 * PART_CHARACTERS ? replyId.slice(0, PART_CHARACTERS) : undefined;
}

export interface ForwardedCall {
  readonly method: string;
  /** As it stands in the request line. */
  readonly path: string;
  readonly body: Uint8Array;
}

/** The machine that a call is for, and the epoch under which the sender knows it. */
export interface Addressed {
  readonly machine: string;
  readonly epoch: number;
}

export function forwardHeaders(
  key: Uint8Array,
  call: ForwardedCall,
  { machine, epoch, wallMs }: Addressed & { readonly wallMs: number },
): Readonly<Record<string, string>> {
  const time = String(Math.floor(wallMs / 1_000));
  const given = { machine, epoch: String(epoch), time };
  return {
    [FORWARD_HEADERS.machine]: machine,
    [FORWARD_HEADERS.epoch]: given.epoch,
    [FORWARD_HEADERS.time]: time,
    [FORWARD_HEADERS.signature]: digestOf(key, call, given),
  };
}

export type ForwardFault = 'unsigned' | 'stale' | 'other_machine' | 'other_epoch';

/** Why this machine refuses a forwarded request; `undefined` if it accepts it. */
export function faultOfForwarded(
  key: Uint8Array,
  call: ForwardedCall & { readonly header: (name: string) => string | undefined },
  own: Addressed & { readonly wallMs: number },
): ForwardFault | undefined {
  const { header } = call;
  const machine = header(FORWARD_HEADERS.machine) ?? '';
  const epoch = header(FORWARD_HEADERS.epoch) ?? '';
  const time = header(FORWARD_HEADERS.time) ?? '';
  const signature = Buffer.from(header(FORWARD_HEADERS.signature) ?? '');
  const expected = Buffer.from(digestOf(key, call, { machine, epoch, time }));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    return 'unsigned';
  }
  if (Math.abs(own.wallMs / 1_000 - Number(time)) > MAX_SKEW_SECONDS) return 'stale';
  if (machine !== own.machine) return 'other_machine';
  return epoch === String(own.epoch) ? undefined : 'other_epoch';
}

/** No part can contain a line break, so two different calls never give the same text. */
function digestOf(
  key: Uint8Array,
  { method, path, body }: ForwardedCall,
  { machine, epoch, time }: Readonly<Record<'machine' | 'epoch' | 'time', string>>,
): string {
  const bodyHash = createHash('sha256').update(body).digest('hex');
  const signed = ['nds forward 1', method, path, machine, epoch, time, bodyHash].join('\n');
  return createHmac('sha256', key).update(signed).digest('hex');
}
