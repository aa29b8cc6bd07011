// The Breez family's fixtures through registered devices: the handle replaces the query.

import { tokenFault } from '../../src/core/target.ts';
import { runFixture, testFixtures } from '../support/fixture-runner.ts';
import { type Fixture, loadFixtures } from '../support/fixtures.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import type { Setup } from '../support/service.ts';
import { BREEZ_SOURCES } from '../support/sources.ts';

/** Fixtures about the query itself are left out: the registry takes no such device. */
const fixtures = loadFixtures(BREEZ_SOURCES).filter((fixture) => {
  const query = queryOf(fixture.request.path);
  const platform = query.get('platform');
  if (platform !== 'ios' && platform !== 'android') return false;
  return tokenFault(platform, query.get('token') ?? '') === undefined;
});

testFixtures(fixtures, {
  environment: REGISTRY_ENVIRONMENT,
  nameOf: ({ name, about }) => `${name} by handle: ${about}`,
  run: async (fixture, host, index) => {
    // Both forms of the path lead to the same door.
    const form = index % 2 === 0 ? '/n/' : '/api/v1/notify/';
    const handles = await registerAll(fixture, host.running);
    const adapt = (path: string) => {
      const handle = handles.get(new URLSearchParams(queryOf(path)).toString());
      return handle === undefined ? path : `${form}${handle}`;
    };
    await runFixture(fixture, { ...host, adapt });
  },
});

/** Registers one device for each query in the fixture. */
async function registerAll(fixture: Fixture, running: Setup): Promise<ReadonlyMap<string, string>> {
  const handles = new Map<string, string>();
  const paths = [fixture.request, ...fixture.then.map((step) => step.request)];
  for (const { path } of paths) {
    const query = queryOf(path);
    const appData = query.get('app_data');
    const device = await register(running, {
      platform: query.get('platform'),
      token: query.get('token'),
      ...(appData === null ? {} : { app_data: appData }),
    });
    handles.set(query.toString(), handleOf(device, 'notify'));
  }
  return handles;
}

function queryOf(path: string): URLSearchParams {
  return new URLSearchParams(path.split('?')[1] ?? '');
}
