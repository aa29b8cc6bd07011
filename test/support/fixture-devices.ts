// The devices that a fixture mentions, registered in a running service, and the domains for its configuration.

import { type Fixture, secretsOf } from './fixtures.ts';
import { handleOf, register } from './registry.ts';
import type { Setup } from './service.ts';

/** The `domains` of NDS_SOURCES for these fixtures. */
export function domainsOf(fixtures: readonly Fixture[]): Readonly<Record<string, object>> {
  const domains = fixtures
    .filter(({ source }) => source === 'spark_payment_received')
    .map((fixture) => [addressOf(fixture.request.path).last, { secrets: secretsOf(fixture) }]);
  return Object.fromEntries(domains);
}

function addressOf(path: string): { readonly door: string; readonly last: string } {
  const [, door = '', last = ''] = /([a-z0-9_]+)\/([^/?]+)$/.exec(path) ?? [];
  return { door, last };
}

export interface RegisteredFixture {
  /** Maps the handles in the fixture to those that the registry gave out. */
  readonly handles: ReadonlyMap<string, string>;
  readonly ids: readonly string[];
  /** A path of the fixture with this service's handles. */
  adapt(path: string): string;
}

/** Registers the devices of a fixture through the registry's own API. */
export async function registerFixture(
  running: Pick<Setup, 'post'>,
  fixture: Fixture,
): Promise<RegisteredFixture> {
  const { setup: given } = fixture;
  const { door } = addressOf(fixture.request.path);
  const signs = !['lsps5', 'epay', 'spark_payment_received'].includes(fixture.source);
  const nodeIds = given.keys === undefined ? [] : [given.keys.lsp_node_id];
  const common = {
    ...(signs ? { secrets: { [door]: secretsOf(fixture) } } : {}),
    ...(nodeIds.length === 0 ? {} : { lsp_node_ids: nodeIds }),
  };
  const handles = new Map<string, string>();
  const ids: string[] = [];
  for (const [handle, { platform, token }] of Object.entries(given.registrations)) {
    const device = await register(running, { platform, token, ...common });
    handles.set(handle, handleOf(device, door));
    ids.push(device.id);
  }
  for (const [user, devices] of Object.entries(given.devices_by_user_pubkey)) {
    for (const details of devices) ids.push((await register(running, { ...details, user })).id);
  }
  const adapt = (path: string) => {
    const [handle] = [...handles.keys()].filter((name) => path.endsWith(name));
    return handle === undefined ? path : path.replace(handle, handles.get(handle) ?? '');
  };
  return { handles, ids, adapt };
}
