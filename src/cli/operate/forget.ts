// `nds forget USER|TOKEN`: deletes devices, handles and quarantine, and removes fingerprint and device from the log.

import { z } from 'zod';
import { counted } from '../../core/counted.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { argumentOrInput } from '../standard-input.ts';
import { tokenFingerprints } from './fingerprints.ts';
import { appsFor, unlessUnknown } from './known.ts';
import { withDatabase } from './reach.ts';

const forgotten = z.looseObject({ devices: z.number(), deliveries: z.number() });

type Forgotten = z.output<typeof forgotten>;

/** Returns 0, or 1 if nothing is known about it. */
export async function forget(
  known: string,
  { app, json = false }: { readonly app?: string | undefined; readonly json?: boolean },
  context: Context,
): Promise<number> {
  const given = await argumentOrInput(known);
  const found = await withDatabase(context, async (api) => {
    const apps = await appsFor(api, { app, environment: context.environment });
    const forgottenOnes: Forgotten[] = [];
    for (const path of await pathsOf(given, apps, context)) {
      const answer = await unlessUnknown(() => api.call('DELETE', path));
      if (answer !== undefined) forgottenOnes.push(forgotten.parse(answer));
    }
    return forgottenOnes;
  });
  const isKnown = found.length > 0;
  const total = {
    devices: found.reduce((sum, { devices }) => sum + devices, 0),
    deliveries: found.reduce((sum, { deliveries }) => sum + deliveries, 0),
  };
  if (json) print(`${JSON.stringify({ known: isKnown, ...total })}\n`);
  else print(isKnown ? inWords(total) : 'Neither a user nor a token that is known.\n');
  return isKnown ? 0 : 1;
}

/**
 * Treats the text both as a user and as a token. A text that cannot be a token gets a fingerprint, too, but an unknown
 * one.
 */
async function pathsOf(
  given: string,
  apps: readonly string[],
  context: Context,
): Promise<readonly string[]> {
  const user = `/api/v1/users/${encodeURIComponent(given)}`;
  const tokens = await tokenFingerprints(given, apps, context);
  return [
    ...apps.map((app) => `${user}?${new URLSearchParams({ app })}`),
    ...tokens.map((fingerprint) => `/api/v1/tokens/${fingerprint}`),
  ];
}

function inWords({ devices, deliveries }: Forgotten): string {
  return (
    `Forgotten: ${counted(devices, 'device', 'devices')} with handles and quarantine.\n` +
    `${counted(deliveries, 'delivery', 'deliveries')} in the log name neither token nor device any more.\n`
  );
}
