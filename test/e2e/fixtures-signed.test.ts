// The fixtures of the signed sources over HTTP: devices are registered through the registry's own API, and the
// fixture's handle is replaced by the one that the registry gave out for that door.

import { deleteDevice } from '../support/device-calls.ts';
import { domainsOf, registerFixture } from '../support/fixture-devices.ts';
import { runFixture, testFixtures } from '../support/fixture-runner.ts';
import { loadFixtures } from '../support/fixtures.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { SIGNED_SOURCES } from '../support/sources.ts';

const fixtures = loadFixtures(SIGNED_SOURCES);

testFixtures(fixtures, {
  environment: {
    ...REGISTRY_ENVIRONMENT,
    NDS_SOURCES: JSON.stringify({ domains: domainsOf(fixtures) }),
  },
  nameOf: ({ name, about }) => `${name}: ${about}`,
  run: async (fixture, host) => {
    const registered = await registerFixture(host.running, fixture);
    await runFixture(fixture, { ...host, adapt: registered.adapt });
    // The next fixture has the same user, all of whose devices would get its push.
    for (const id of registered.ids) await deleteDevice(host.running, id);
  },
});
