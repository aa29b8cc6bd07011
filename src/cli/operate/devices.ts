// `nds devices list|show|revoke`: the registered devices; their secret URLs only if asked for.

import { z } from 'zod';
import { onOneLine, wrap } from '../../core/finding/wrap.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { requireArgument } from '../standard-input.ts';
import type { Api } from './api.ts';
import { appsFor } from './known.ts';
import { withDatabase } from './reach.ts';

const device = z.looseObject({
  id: z.string(),
  app: z.string(),
  platform: z.string(),
  user: z.string().optional(),
  locale: z.string().optional(),
  environment: z.string().optional(),
  lsp_node_ids: z.array(z.string()).optional(),
  secrets: z.record(z.string(), z.number()).optional(),
  urls: z.record(z.string(), z.string()).optional(),
  registered_by: z.string().optional(),
  created_at: z.string(),
  seen_at: z.string(),
  dead_since: z.string().optional(),
});
const page = z.looseObject({ devices: z.array(device), next: z.string().optional() });

type Device = z.output<typeof device>;

export interface ListOptions {
  readonly app?: string | undefined;
  readonly user?: string | undefined;
  readonly limit: number;
  readonly json?: boolean;
}

const PAGE = 200;
const DAY_CHARACTERS = 10;
const USER_CHARACTERS = 12;
const LABEL = 14;

/** Prints one line for each device. */
export async function listDevices(options: ListOptions, context: Context): Promise<void> {
  const { app, user, limit, json = false } = options;
  await withDatabase(context, async (api) => {
    let left = limit;
    const show = (found: readonly Device[]) => {
      for (const one of found.slice(0, left)) {
        print(json ? `${JSON.stringify(withoutUrls(one))}\n` : lineOf(one));
      }
      left = Math.max(0, left - found.length);
    };
    if (user === undefined) return await eachPage(api, { app, isEnough: () => left === 0 }, show);
    for (const name of await appsFor(api, { app, environment: context.environment })) {
      const query = { app: name, user };
      show(page.parse(await api.call('GET', '/api/v1/devices', { query })).devices);
    }
  });
}

async function eachPage(
  api: Api,
  { app, isEnough }: { readonly app: string | undefined; readonly isEnough: () => boolean },
  show: (found: readonly Device[]) => void,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const query = { app, cursor, limit: PAGE };
    const { devices, next } = page.parse(await api.call('GET', '/api/v1/devices', { query }));
    show(devices);
    cursor = next;
  } while (cursor !== undefined && !isEnough());
}

/** The URLs are secrets of the device's caller, so they are printed only with `urls`. */
export async function showDevice(
  id: string,
  { urls = false, json = false }: { readonly urls?: boolean; readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withDatabase(context, async (api) => {
    const path = `/api/v1/devices/${encodeURIComponent(requireArgument(id))}`;
    const found = device.parse(await api.call('GET', path));
    if (json) print(`${JSON.stringify(urls ? found : withoutUrls(found))}\n`);
    else print(inWords(found, urls));
  });
}

/** Revokes the device at one door, or the whole device. */
export async function revokeDevice(
  id: string,
  { door, json = false }: { readonly door?: string | undefined; readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withDatabase(context, async (api) => {
    const path = `/api/v1/devices/${encodeURIComponent(requireArgument(id))}`;
    const handle = door === undefined ? '' : `/handles/${encodeURIComponent(door)}`;
    const answer = await api.call('DELETE', `${path}${handle}`);
    if (json) print(`${JSON.stringify(answer)}\n`);
    else if (door === undefined) print('Deleted: none of its URLs wakes it any more.\n');
    else print(`Its URL for ${door} is worth nothing any more; the others stay.\n`);
  });
}

function withoutUrls({ urls = {}, ...rest }: Device) {
  return { ...rest, doors: Object.keys(urls) };
}

/** Shows when the device was last seen, and its user; a dead device cannot be reached. */
function lineOf({ id, app, platform, user = '', seen_at: seen, dead_since: dead }: Device): string {
  const day = (dead ?? seen).slice(0, DAY_CHARACTERS);
  const shown = onOneLine(user);
  const owner = shown.length > USER_CHARACTERS ? `${shown.slice(0, USER_CHARACTERS - 1)}…` : shown;
  const line = `${id}  ${app}/${platform}  ${day}  ${dead === undefined ? owner : 'dead'}`;
  return `${line.trimEnd()}\n`;
}

function inWords(found: Device, withUrls: boolean): string {
  const { urls = {}, secrets = {}, lsp_node_ids: nodes = [] } = found;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['device', found.id],
    ['app', `${found.app}, ${found.platform}${found.environment ? `, ${found.environment}` : ''}`],
    ['user', found.user === undefined ? undefined : onOneLine(found.user)],
    ['locale', found.locale],
    ['registered', `${found.created_at}${found.registered_by ? ` by ${found.registered_by}` : ''}`],
    ['seen', found.seen_at],
    ['dead since', found.dead_since],
    ['LSP nodes', nodes.join(', ') || undefined],
    ['secrets', Object.keys(secrets).join(', ') || undefined],
    ['doors', withUrls ? undefined : Object.keys(urls).join(', ') || undefined],
    ...Object.entries(withUrls ? urls : {}),
  ];
  return rows
    .flatMap(([label, value]) => {
      if (value === undefined) return [];
      const line = `${label.padEnd(LABEL - 2)}  ${value}`;
      // A URL is not wrapped, so that it stays beside its label.
      return [`${value.includes(' ') ? wrap(line, LABEL) : line}\n`];
    })
    .join('');
}
