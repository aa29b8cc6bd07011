// The fixtures of the signed sources over HTTP: their registrations are made through the registry's own
// API, and the fixture's handle is replaced by the one that the registry gave out for that door.

import { z } from 'zod';
import { deleteDevice } from '../support/device-calls.ts';
import { type Fixture, loadFixtures, runFixture, testFixtures } from '../support/fixture-runner.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import type { Setup } from '../support/service.ts';
import { SIGNED_SOURCES } from '../support/sources.ts';

const registration = z.object({ platform: z.string(), token: z.string() });
const setupSchema = z.looseObject({
  registrations: z.record(z.string(), registration).default({}),
  devices_by_user_pubkey: z.record(z.string(), z.array(registration)).default({}),
  keys: z.object({ lsp_node_id: z.string() }).optional(),
  secrets: z
    .looseObject({
      hmac_key_utf8: z.string().optional(),
      secrets: z.array(z.string()).default([]),
      ed25519_public: z.string().optional(),
    })
    .optional(),
});

const fixtures = loadFixtures(SIGNED_SOURCES);
const domains = fixtures
  .filter(({ source }) => source === 'spark_payment_received')
  .map(({ setup, request }) => {
    return [addressOf(request.path).last, { secrets: secretsOf(setupSchema.parse(setup)) }];
  });

testFixtures(fixtures, {
  environment: {
    ...REGISTRY_ENVIRONMENT,
    NDS_SOURCES: JSON.stringify({ domains: Object.fromEntries(domains) }),
  },
  nameOf: ({ name, about }) => `${name}: ${about}`,
  run: async (fixture, host) => {
    const given = setupSchema.parse(fixture.setup);
    const { door } = addressOf(fixture.request.path);
    const secrets = secretsOf(given);
    const registered = await registerAll(host.running, { fixture, given, door, secrets });
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

type Given = z.output<typeof setupSchema>;

function secretsOf({ secrets }: Given): readonly string[] {
  return [secrets?.hmac_key_utf8, ...(secrets?.secrets ?? []), secrets?.ed25519_public].filter(
    (secret) => secret !== undefined,
  );
}

/** The handles in the fixture, and what the registry gave out in their place. */
async function registerAll(
  running: Setup,
  {
    fixture,
    given,
    door,
    secrets,
  }: {
    readonly fixture: Fixture;
    readonly given: Given;
    readonly door: string;
    readonly secrets: readonly string[];
  },
): Promise<{ readonly handles: ReadonlyMap<string, string>; readonly ids: readonly string[] }> {
  const signs = !['lsps5', 'epay', 'spark_payment_received'].includes(fixture.source);
  const nodeIds = given.keys === undefined ? [] : [given.keys.lsp_node_id];
  const common = {
    ...(signs ? { secrets: { [door]: secrets } } : {}),
    ...(nodeIds.length === 0 ? {} : { lsp_node_ids: nodeIds }),
  };
  const handles = new Map<string, string>();
  const ids: string[] = [];
  for (const [handle, details] of Object.entries(given.registrations)) {
    const device = await register(running, { ...details, ...common });
    handles.set(handle, handleOf(device, door));
    ids.push(device.id);
  }
  for (const [user, devices] of Object.entries(given.devices_by_user_pubkey)) {
    for (const details of devices) ids.push((await register(running, { ...details, user })).id);
  }
  return { handles, ids };
}
