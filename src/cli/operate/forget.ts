// `nds forget USER|TOKEN`: devices, handles and quarantine are deleted, and the log keeps neither fingerprint nor device.

import { z } from 'zod';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { argumentOrInput } from '../standard-input.ts';
import type { Api } from './api.ts';
import { tokenFingerprints } from './fingerprints.ts';
import { appsFor, unlessUnknown } from './known.ts';
import { withDatabase } from './reach.ts';

const forgotten = z.looseObject({ devices: z.number(), deliveries: z.number() });

type Forgotten = z.output<typeof forgotten>;

/** Returns 0, or 1 if nothing is known of it. */
export async function forget(
  known: string,
  { app, json = false }: { readonly app?: string | undefined; readonly json?: boolean },
  context: Context,
): Promise<number> {
  const given = await argumentOrInput(known);
  const results = await withDatabase(context, async (api) => [
    await forgetUser(api, given, app),
    ...(await forgetToken(api, given, { app, context })),
  ]);
  const found = results.filter((result) => result !== undefined);
  const total = found.reduce<{ devices: number; deliveries: number }>(
    (sum, { devices, deliveries }) => ({
      devices: sum.devices + devices,
      deliveries: sum.deliveries + deliveries,
    }),
    { devices: 0, deliveries: 0 },
  );
  if (json) print(`${JSON.stringify({ known: found.length > 0, ...total })}\n`);
  else if (found.length === 0) print('Neither a user nor a token that is known.\n');
  else print(inWords(total));
  return found.length === 0 ? 1 : 0;
}

async function forgetUser(
  api: Api,
  user: string,
  app: string | undefined,
): Promise<Forgotten | undefined> {
  const path = `/api/v1/users/${encodeURIComponent(user)}`;
  const answer = await unlessUnknown(() => api.call('DELETE', path, { query: { app } }));
  return answer === undefined ? undefined : forgotten.parse(answer);
}

/** A name that no token can have has a fingerprint all the same, which is not known. */
async function forgetToken(
  api: Api,
  token: string,
  { app, context }: { readonly app: string | undefined; readonly context: Context },
): Promise<readonly (Forgotten | undefined)[]> {
  const results: (Forgotten | undefined)[] = [];
  for (const name of await appsFor(api, app)) {
    for (const fingerprint of tokenFingerprints(token, name, context)) {
      const path = `/api/v1/tokens/${fingerprint}`;
      const answer = await unlessUnknown(() => api.call('DELETE', path));
      results.push(answer === undefined ? undefined : forgotten.parse(answer));
    }
  }
  return results;
}

function inWords({ devices, deliveries }: { devices: number; deliveries: number }): string {
  return (
    `Forgotten: ${count(devices, 'device')} with handles and quarantine.\n` +
    `${count(deliveries, 'delivery', 'deliveries')} in the log name neither token nor device any more.\n`
  );
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
