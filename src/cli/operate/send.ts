// `nds send TO`: sends a test push through the running service, and shows the way that it took.

import { z } from 'zod';
import { counted } from '../../core/counted.ts';
import { wrap } from '../../core/finding/wrap.ts';
import type { Platform } from '../../core/target.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { argumentOrInput } from '../standard-input.ts';
import { parseAddressee } from './addressee.ts';
import type { Api } from './api.ts';
import { withService } from './reach.ts';

export interface SendOptions {
  readonly type: string;
  readonly app?: string | undefined;
  readonly platform?: Platform | undefined;
  readonly environment?: string | undefined;
  /** Waits for the end of the push, and for the phone's reply if the type asks for one. */
  readonly watch?: boolean;
  readonly json?: boolean;
}

const REPLY_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** A race is over by then; news may wait for hours, and then `nds find` shows its end. */
const WATCH_MS = 120_000;

const attempt = z.looseObject({
  number: z.number(),
  latency_ms: z.number(),
  outcome: z.string(),
  reason: z.string().optional(),
});
const pushed = z.looseObject({
  id: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  app: z.string(),
  provider: z.string(),
  type: z.string(),
  device_id: z.string().optional(),
  attempts: z.array(attempt),
  logged: z.boolean().optional(),
  reply: z.looseObject({ after_ms: z.number(), bytes: z.number() }).optional(),
});

type Pushed = z.output<typeof pushed>;

/** Returns 0 if the provider took the push, else 1. */
export async function send(to: string, options: SendOptions, context: Context): Promise<number> {
  const { type, app, platform, environment, watch = false, json = false } = options;
  const addressee = parseAddressee(await argumentOrInput(to), { platform, environment });
  return await withService(context, async (api) => {
    const body = {
      to: addressee,
      app,
      type,
      reply_within_ms: watch ? REPLY_WITHIN_MS : undefined,
    };
    const first = pushed.parse(await api.call('POST', '/api/v1/test-pushes', { body }));
    const result = watch ? await untilItEnds(api, first, context) : first;
    print(json ? `${JSON.stringify(result)}\n` : inWords(result, { watch }));
    return result.status === 'delivered' ? 0 : 1;
  });
}

async function untilItEnds(api: Api, first: Pushed, { clock }: Context): Promise<Pushed> {
  const giveUpMs = clock.nowMs() + WATCH_MS;
  let last = first;
  while (isOpen(last) && clock.nowMs() < giveUpMs) {
    await new Promise<void>((resolve) => clock.after(LOOK_EVERY_MS, resolve));
    const found = await api.call('GET', `/api/v1/deliveries/${first.id}`);
    last = { ...first, ...pushed.parse(found) };
  }
  return last;
}

function isOpen({ status }: Pushed): boolean {
  return status === 'queued' || status === 'under_way';
}

function inWords(result: Pushed, { watch }: { readonly watch: boolean }): string {
  const { id, type, app, provider, device_id: device, attempts, reply } = result;
  const lines = [
    `${type} to ${app}/${provider}${device === undefined ? '' : `, device ${device}`}`,
    ...attempts.map(
      ({ number, outcome, reason, latency_ms: ms }) =>
        `try ${number}   ${withReason(outcome, reason)} after ${ms} ms`,
    ),
    ...(reply === undefined
      ? []
      : [`reply   ${counted(reply.bytes, 'byte', 'bytes')} after ${reply.after_ms} ms`]),
    sentenceOf(result, watch),
    ...(result.logged === false ? ['The database could not take the row.'] : []),
    `nds find ${id}`,
  ];
  return lines.map((line) => `${wrap(line, 8)}\n`).join('');
}

function sentenceOf({ status, reason, reply, type }: Pushed, watch: boolean): string {
  switch (status) {
    case 'delivered':
      if (reply !== undefined) return 'The phone woke and replied.';
      return watch && type === 'invoice_request'
        ? 'The provider took the push; the phone did not reply.'
        : 'The provider took the push. Whether the phone woke, only the phone knows.';
    case 'queued':
    case 'under_way':
      return `Not delivered yet${reason === undefined ? '' : ` (${reason})`}: it is tried again.`;
    default:
      return `Not delivered: ${withReason(status, reason)}. docs/troubleshooting.md explains it.`;
  }
}

function withReason(word: string, reason: string | undefined): string {
  return reason === undefined ? word : `${word} (${reason})`;
}
