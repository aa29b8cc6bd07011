// The fixtures of the signed sources over HTTP: their registrations are made through the registry's own
// API, and the fixture's handle is replaced by the one that the registry gave out for that door.

import { deleteDevice } from '../support/device-calls.ts';
import { runFixture, testFixtures } from '../support/fixture-runner.ts';
import { type Fixture, loadFixtures, secretsOf } from '../support/fixtures.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import type { Setup } from '../support/service.ts';
import { SIGNED_SOURCES } from '../support/sources.ts';

const fixtures = loadFixtures(SIGNED_SOURCES);
const domains = fixtures
  .filter(({ source }) => source === 'spark_payment_received')
  .map((fixture) => [addressOf(fixture.request.path).last, { secrets: secretsOf(fixture) }]);

testFixtures(fixtures, {
  environment: {
    ...REGISTRY_ENVIRONMENT,
    NDS_SOURCES: JSON.stringify({ domains: Object.fromEntries(domains) }),
  },
  nameOf: ({ name, about }) => `${name}: ${about}`,
  run: async (fixture, host) => {
    const registered = await registerAll(host.running, fixture);
    const adapt = (path: string) => {
      const [handle] = [...registered.handles.keys()].filter((name) => path.endsWith(name));
      return handle === undefined
        ? path
        : path.replace(handle, registered.handles.get(handle) ?? '');
    };
    await runFixture(fixture, { ...host, adapt });
    // The next fixture has the same user, whose devices would all get its push.
    for (const id of registered.ids) await deleteDevice(host.running, id);
  },
});

function addressOf(path: string): { readonly door: string; readonly last: string } {
  const [, door = '', last = ''] = /([a-z0-9_]+)\/([^/?]+)$/.exec(path) ?? [];
  return { door, last };
}

/** The handles in the fixture, and what the registry gave out in their place. */
async function registerAll(
  running: Setup,
  fixture: Fixture,
): Promise<{ readonly handles: ReadonlyMap<string, string>; readonly ids: readonly string[] }> {
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
  return { handles, ids };
}
