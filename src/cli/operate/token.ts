// `nds token show|release TOKEN`: shows whether pushes to a token are sent, and ends its quarantine or hold.

import { z } from 'zod';
import { wrap } from '../../core/finding/wrap.ts';
import { tokenFault } from '../../core/target.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { ArgumentError, argumentOrInput } from '../standard-input.ts';
import { likelyPlatform } from './addressee.ts';
import type { Api } from './api.ts';
import { tokenFingerprints } from './fingerprints.ts';
import { appsFor, unlessUnknown } from './known.ts';
import { withDatabase } from './reach.ts';

export interface TokenOptions {
  readonly app?: string | undefined;
  readonly json?: boolean;
}

const PAGE = 200;

const entry = z.looseObject({
  token_fingerprint: z.string(),
  app: z.string(),
  provider: z.string(),
  kind: z.string(),
  reason: z.string(),
  since: z.string(),
  until: z.string(),
});
const page = z.looseObject({ quarantine: z.array(entry), next: z.string().optional() });

type Entry = z.output<typeof entry>;

const KINDS: Readonly<Record<string, string>> = {
  unregistered: 'the provider says that it is dead',
  bad_token: 'the provider says that it is no token of this app',
  throttled: 'the provider holds it back',
};

const RELEASED = 'Released: the next call is sent. Pushes that wait already keep their time.\n';

type Asked = (api: Api, fingerprints: readonly string[]) => Promise<number>;

/** Returns 0 if pushes to the token are sent, 1 if not. */
export function showToken(token: string, options: TokenOptions, context: Context) {
  return withToken(token, { ...options, context }, async (api, fingerprints) => {
    const entries = await findEntries(api, fingerprints);
    if (options.json) {
      print(`${JSON.stringify({ fingerprints, quarantine: entries })}\n`);
    } else {
      print(`fingerprint ${fingerprints.join('\n            ')}\n`);
      print(entries.length === 0 ? 'It is sent to.\n' : entries.map(inWords).join(''));
    }
    return entries.length === 0 ? 0 : 1;
  });
}

/** Returns 0, or 1 if it was not held. */
export function releaseToken(token: string, options: TokenOptions, context: Context) {
  return withToken(token, { ...options, context }, async (api, fingerprints) => {
    const released: string[] = [];
    for (const fingerprint of fingerprints) {
      const path = `/api/v1/quarantine/${fingerprint}`;
      const answer = await unlessUnknown(() => api.call('DELETE', path));
      if (answer !== undefined) released.push(fingerprint);
    }
    const isReleased = released.length > 0;
    if (options.json) print(`${JSON.stringify({ released })}\n`);
    else print(isReleased ? RELEASED : 'It was not held.\n');
    return isReleased ? 0 : 1;
  });
}

/** Asks with the token's fingerprint: the token itself never leaves this process. */
async function withToken(
  token: string,
  { app, context }: { readonly app?: string | undefined; readonly context: Context },
  ask: Asked,
): Promise<number> {
  const given = await argumentOrInput(token);
  const fault = tokenFault(likelyPlatform(given), given);
  if (fault !== undefined) throw new ArgumentError(`as a token, this ${fault}`);
  return await withDatabase(context, async (api) => {
    const apps = await appsFor(api, { app, environment: context.environment });
    return await ask(api, await tokenFingerprints(given, apps, context));
  });
}

async function findEntries(api: Api, known: readonly string[]): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  let cursor: string | undefined;
  do {
    const query = { cursor, limit: PAGE };
    const { quarantine, next } = page.parse(await api.call('GET', '/api/v1/quarantine', { query }));
    found.push(...quarantine.filter((one) => known.includes(one.token_fingerprint)));
    cursor = next;
  } while (cursor !== undefined);
  return found;
}

function inWords({ app, provider, kind, reason, since, until }: Entry): string {
  const sentence = `Not sent to at ${app}/${provider}: ${KINDS[kind] ?? kind} (${reason}).`;
  return `${wrap(sentence, 2)}\n  since ${since}\n  until ${until}\n`;
}
