// `nds endpoints add|list|show|update|delete|rotate`: where events are sent. A secret is printed only when it was just
// made.

import { z } from 'zod';
import { COLUMNS, onOneLine, wrap } from '../../core/finding/wrap.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { argumentOrInput, requireArgument } from '../standard-input.ts';
import { withDatabase } from './reach.ts';

const endpoint = z.looseObject({
  id: z.string(),
  url: z.string().optional(),
  email: z.string().optional(),
  digest: z.string().optional(),
  enabled_events: z.array(z.string()),
  app: z.string().optional(),
  description: z.string().optional(),
  status: z.string(),
  disabled_reason: z.string().optional(),
  created: z.number(),
  configured: z.boolean().optional(),
  failing_since: z.string().optional(),
  secret: z.string().optional(),
});
const list = z.looseObject({ endpoints: z.array(endpoint) });

type Endpoint = z.output<typeof endpoint>;

interface Printed {
  readonly json?: boolean;
}

/** The settings of an endpoint that the command line can change. */
export interface Changes {
  readonly url?: string;
  /** Separated by commas. */
  readonly events?: string;
  readonly app?: string;
  readonly description?: string;
  readonly digest?: string;
  readonly status?: string;
}

const PATH = '/api/v1/endpoints';
const LABEL = 15;
const STATUS_WIDTH = 8;

const REASONS: Readonly<Record<string, string>> = {
  by_operator: 'by hand',
  gone: 'it answered 410',
  failing: 'it failed for five days',
};

export function pathOf(id: string): string {
  return `${PATH}/${encodeURIComponent(requireArgument(id))}`;
}

export async function addEndpoint(
  url: string,
  { json, ...changes }: Printed & Changes,
  context: Context,
): Promise<void> {
  const body = bodyOf({ ...changes, url: await argumentOrInput(url) });
  await withDatabase(context, async (api) => {
    show(await api.call('POST', PATH, { body }), json);
  });
}

export async function listEndpoints({ json = false }: Printed, context: Context): Promise<void> {
  await withDatabase(context, async (api) => {
    const { endpoints } = list.parse(await api.call('GET', PATH));
    const width = Math.max(0, ...endpoints.map(({ id }) => id.length));
    for (const one of endpoints) print(json ? `${JSON.stringify(one)}\n` : lineOf(one, width));
  });
}

export async function showEndpoint(id: string, { json }: Printed, context: Context): Promise<void> {
  await withDatabase(context, async (api) => show(await api.call('GET', pathOf(id)), json));
}

export async function updateEndpoint(
  id: string,
  { json, ...changes }: Printed & Changes,
  context: Context,
): Promise<void> {
  await withDatabase(context, async (api) => {
    show(await api.call('PATCH', pathOf(id), { body: bodyOf(changes) }), json);
  });
}

export async function deleteEndpoint(
  id: string,
  { json = false }: Printed,
  context: Context,
): Promise<void> {
  await withDatabase(context, async (api) => {
    const answer = await api.call('DELETE', pathOf(id));
    print(json ? `${JSON.stringify(answer)}\n` : 'Deleted: it gets no more events.\n');
  });
}

export async function rotateSecret(id: string, { json }: Printed, context: Context): Promise<void> {
  await withDatabase(context, async (api) => {
    show(await api.call('POST', `${pathOf(id)}/secret/rotate`), json);
  });
}

/** As the API takes it. */
function bodyOf({ events, ...changes }: Changes): object {
  const names = events?.split(',').map((name) => name.trim());
  return { ...changes, enabled_events: names };
}

function show(answer: unknown, json = false): void {
  const shown = endpoint.parse(answer);
  print(json ? `${JSON.stringify(shown)}\n` : inWords(shown));
}

/** The query of its URL may be a secret, so only `show` prints it. */
function lineOf({ id, status, failing_since: failing, url, email }: Endpoint, width: number) {
  const state = status === 'enabled' && failing !== undefined ? 'failing' : status;
  const start = `${id.padEnd(width)}  ${state.padEnd(STATUS_WIDTH)}  `;
  const address = onOneLine((email ?? url ?? '').replace(/\?.*/s, '?…'));
  const room = COLUMNS - start.length;
  const shown = address.length > room ? `${address.slice(0, room - 1)}…` : address;
  return `${start}${shown}\n`;
}

function inWords(shown: Endpoint): string {
  const { disabled_reason: reason = '', secret } = shown;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['endpoint', shown.id],
    ['URL', shown.email === undefined ? shown.url : undefined],
    ['e-mail', shown.email],
    ['digest', shown.digest],
    ['events', shown.enabled_events.join(', ')],
    ['app', shown.app],
    ['description', shown.description],
    ['status', reason === '' ? shown.status : `${shown.status}: ${REASONS[reason] ?? reason}`],
    ['failing since', shown.failing_since],
    ['configured', shown.configured === true ? 'by NDS_ENDPOINTS' : undefined],
    ['created', new Date(1_000 * shown.created).toISOString()],
    ['secret', secret],
  ];
  const lines = rows.flatMap(([label, value]) => {
    if (value === undefined) return [];
    const line = `${label.padEnd(LABEL - 2)}  ${onOneLine(value)}`;
    // A URL is not wrapped, so that it stays beside its label.
    return [value.includes(' ') ? wrap(line, LABEL) : line];
  });
  if (secret !== undefined) lines.push('The secret is not shown again: give it to the receiver.');
  return lines.map((line) => `${line}\n`).join('');
}
