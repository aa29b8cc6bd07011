// The fixtures of the signed sources over HTTP: their registrations are made through the registry's own
// API, and the fixture's handle is replaced by the one that the registry gave out for that door.

import { test } from 'vitest';
import { z } from 'zod';
import { type Fixture, loadFixtures, runFixture } from '../support/fixture-runner.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { type Setup, setup } from '../support/service.ts';
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

for (const fixture of loadFixtures(SIGNED_SOURCES)) {
  test(`${fixture.name}: ${fixture.about}`, async () => {
    const given = setupSchema.parse(fixture.setup);
    const clock = new ManualClock(fixture.now_unix_ms);
    const [, door = '', last = ''] = /([a-z0-9_]+)\/([^/?]+)$/.exec(fixture.request.path) ?? [];
    const secrets = secretsOf(given);
    const running = await setup({
      clock,
      environment: {
        ...REGISTRY_ENVIRONMENT,
        NDS_SOURCES: JSON.stringify(
          fixture.source === 'spark_payment_received' ? { domains: { [last]: { secrets } } } : {},
        ),
      },
    });
    const handles = await registerAll(running, { fixture, given, door, secrets });
    const adapt = (path: string) => {
      const [handle] = [...handles.keys()].filter((name) => path.endsWith(name));
      return handle === undefined ? path : path.replace(handle, handles.get(handle) ?? '');
    };
    await runFixture(fixture, { running, clock, adapt });
  });
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
): Promise<ReadonlyMap<string, string>> {
  const signs = !['lsps5', 'epay', 'spark_payment_received'].includes(fixture.source);
  const nodeIds = given.keys === undefined ? [] : [given.keys.lsp_node_id];
  const common = {
    ...(signs ? { secrets: { [door]: secrets } } : {}),
    ...(nodeIds.length === 0 ? {} : { lsp_node_ids: nodeIds }),
  };
  const handles = new Map<string, string>();
  for (const [handle, device] of Object.entries(given.registrations)) {
    handles.set(handle, handleOf(await register(running, { ...device, ...common }), door));
  }
  for (const [user, devices] of Object.entries(given.devices_by_user_pubkey)) {
    for (const device of devices) await register(running, { ...device, user });
  }
  return handles;
}
