// GET /admin/view/callers: which apps are configured, whose keys a provider has accepted, and the webhook URLs that
// callers register.

import { DOMAIN_SOURCE, NOTIFY_DOOR } from '../../core/devices/doors.ts';
import type { HttpContext } from '../context.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { type CallerUrl, renderCallers } from './views/callers-view.ts';
import { piece } from './views/elements.ts';

const DEFAULT_URL = 'https://nds.example.com';

export function showCallers(parts: AdminParts, c: HttpContext): Promise<Response> {
  requireSession(parts.access, c, 'read');
  const apps = parts.operator.apps().map(({ name, providers }) => {
    const states = providers.map(({ name: by, environment, status, detail }) => {
      return { name: by, environment, status, detail, proofs: parts.proofsOf(name, by) };
    });
    return { name, providers: states };
  });
  return piece(c, renderCallers({ apps, urls: urlsOf(parts), hasUrl: hasUrl(parts) }));
}

function hasUrl({ access }: AdminParts): boolean {
  return access.externalUrl !== undefined;
}

function urlsOf({ access, operator, describeCalls }: AdminParts): readonly CallerUrl[] {
  const base = access.externalUrl ?? DEFAULT_URL;
  const { pathOf, registry } = operator.devices;
  const { breez, sources } = describeCalls();
  const example = exampleIn(breez.examples);
  const apps = operator.appNames();
  const [first = 'default'] = apps;
  const app = first === 'default' ? '' : `&app=${first}`;
  const described = sources.map(({ name, caller, headers, examples }): CallerUrl => {
    const path =
      name === DOMAIN_SOURCE ? `/api/v1/webhooks/${DOMAIN_SOURCE}/DOMAIN` : `${pathOf(name)}HANDLE`;
    const url = `${base}${path}`;
    return { door: name, caller, url, headers: Object.keys(headers), example: exampleIn(examples) };
  });
  const names = new Set(described.map(({ door }) => door));
  const own = registry.doors
    .filter((door) => door !== NOTIFY_DOOR && !names.has(door))
    .map((door): CallerUrl => {
      const url = `${base}${pathOf(door)}HANDLE`;
      return { door, caller: 'as configured in NDS_SOURCES_FILE', url, headers: [], example: '{}' };
    });
  const breezUrl = { door: NOTIFY_DOOR, headers: [], example };
  return [
    {
      ...breezUrl,
      caller: 'lspd, breez-lnurl, Boltz: the token in the URL',
      url: `${base}/api/v1/notify?platform=android&token=TOKEN${app}`,
    },
    {
      ...breezUrl,
      caller: 'the same for a registered device',
      url: `${base}${pathOf(NOTIFY_DOOR)}HANDLE`,
    },
    ...described,
    ...own,
  ];
}

function exampleIn(examples: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.values(examples)[0] ?? {});
}
