// `nds apps list|reload`: lists the apps of the running service, and has it read their files again.

import { z } from 'zod';
import { wrap } from '../../core/finding/wrap.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { withService } from './reach.ts';

const listed = z.looseObject({
  apps: z.array(
    z.looseObject({
      name: z.string(),
      providers: z.array(
        z.looseObject({ name: z.string(), status: z.string(), detail: z.string().optional() }),
      ),
    }),
  ),
});
const names = z.array(z.string());
const reloaded = z.looseObject({
  opened: names,
  closed: names,
  kept: names,
  needs_restart: names.default([]),
});

const STATUS_WIDTH = 9;

export async function listApps(
  { json = false }: { readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withService(context, async (api) => {
    const answer = await api.call('GET', '/api/v1/apps');
    if (json) return print(`${JSON.stringify(answer)}\n`);
    for (const { name, providers } of listed.parse(answer).apps) {
      for (const { name: provider, status, detail } of providers) {
        const words = detail === undefined ? '' : `: ${detail}`;
        const line = `${status.padEnd(STATUS_WIDTH)}${name}/${provider}${words}`;
        print(`${wrap(line, STATUS_WIDTH)}\n`);
      }
    }
  });
}

/** If any file has a fault, nothing changes, and an `ApiRefusedError` is thrown. */
export async function reloadApps(
  { json = false }: { readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withService(context, async (api) => {
    const answer = reloaded.parse(await api.call('POST', '/api/v1/apps/reload'));
    if (json) return print(`${JSON.stringify(answer)}\n`);
    for (const [what, list] of [
      ['opened', answer.opened],
      ['closed', answer.closed],
      ['kept', answer.kept],
      ['needs a restart', answer.needs_restart],
    ] as const) {
      if (list.length > 0) print(`${wrap(`${what}: ${list.join(', ')}`, 2)}\n`);
    }
  });
}
