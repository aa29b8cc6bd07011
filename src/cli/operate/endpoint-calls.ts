// `nds endpoints test|attempts|redeliver`: the calls to an endpoint.

import { z } from 'zod';
import { MAIL_FAILURES } from '../../core/events/mail-failures.ts';
import { SEND_FAILURES } from '../../core/events/send-failures.ts';
import { momentOf } from '../../core/finding/words.ts';
import { wrap } from '../../core/finding/wrap.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import type { Api } from './api.ts';
import { pathOf } from './endpoints.ts';
import { withDatabase, withService } from './reach.ts';

const result = {
  outcome: z.string(),
  status: z.number().optional(),
  reason: z.string().optional(),
  latency_ms: z.number(),
};
const sent = z.looseObject({ event: z.string(), ...result });
const addressed = z.looseObject({ email: z.string().optional() });
const rewound = z.looseObject({ since: z.string() });
const attempts = z.looseObject({
  attempts: z.array(
    z.looseObject({ event: z.string(), type: z.string(), at: z.string(), ...result }),
  ),
});

type Result = z.output<z.ZodObject<typeof result>>;

export interface RedeliverOptions {
  readonly event?: string | undefined;
  readonly since?: string;
  readonly json?: boolean;
}

interface Printed {
  readonly json?: boolean | undefined;
}

const MAX_ATTEMPTS = 100;
const OUTCOME_WIDTH = 9;

/** Returns 0 if the endpoint took it, else 1. */
export async function testEndpoint(
  id: string,
  { json }: Printed,
  context: Context,
): Promise<number> {
  return await withService(context, async (api) =>
    tell(api, { id, json, answer: await api.call('POST', `${pathOf(id)}/test`) }),
  );
}

export async function listAttempts(
  id: string,
  { json = false }: Printed,
  context: Context,
): Promise<void> {
  await withDatabase(context, async (api) => {
    const query = { limit: MAX_ATTEMPTS };
    const answer = attempts.parse(await api.call('GET', `${pathOf(id)}/attempts`, { query }));
    for (const one of answer.attempts) {
      const { event, type, at, outcome } = one;
      const first = `${momentOf(Date.parse(at))}  ${outcome.padEnd(OUTCOME_WIDTH)}  ${type}`;
      const lines = `${first}\n${wrap(`  ${event}  ${inWords(one)}`, 2)}\n`;
      print(json ? `${JSON.stringify(one)}\n` : lines);
    }
  });
}

/** Returns 0 if the endpoint took the event, or will get the requested events; else 1. */
export async function redeliver(
  id: string,
  { event, since, json }: RedeliverOptions,
  context: Context,
): Promise<number> {
  const given = { body: { event, since } };
  const path = `${pathOf(id)}/redeliver`;
  // Going back to an earlier time sends nothing by itself.
  if (since === undefined) {
    return await withService(context, async (api) =>
      tell(api, { id, json, answer: await api.call('POST', path, given) }),
    );
  }
  return await withDatabase(context, async (api) => {
    const answer = rewound.parse(await api.call('POST', path, given));
    const words = `Everything since ${answer.since} that is kept is sent again.\n`;
    print(json === true ? `${JSON.stringify(answer)}\n` : words);
    return 0;
  });
}

async function tell(
  api: Api,
  { id, answer, json = false }: Printed & { readonly id: string; readonly answer: unknown },
): Promise<number> {
  const told = sent.parse(answer);
  const isDelivered = told.outcome === 'delivered';
  const words = [`${isDelivered ? 'Delivered' : 'Not delivered'}: ${inWords(told)}.`];
  if (told.reason !== undefined) {
    const { email } = addressed.parse(await api.call('GET', pathOf(id)));
    const table: object = email === undefined ? SEND_FAILURES : MAIL_FAILURES;
    words.push(
      ...Object.entries(table).flatMap(([name, next]) => (name === told.reason ? next : [])),
    );
  }
  print(json ? `${JSON.stringify(told)}\n` : words.map((line) => `${wrap(line, 0)}\n`).join(''));
  return isDelivered ? 0 : 1;
}

/** Such as `200 after 41 ms`; if there was no answer, the reason that nds gives. */
function inWords({ status, reason, latency_ms: ms }: Result): string {
  return `${status ?? reason ?? 'no answer'} after ${ms} ms`;
}
