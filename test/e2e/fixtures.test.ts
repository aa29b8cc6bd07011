// Every fixture of the Breez family in the token form.

import { expect, test } from 'vitest';
import { runFixture, testFixtures } from '../support/fixture-runner.ts';
import { allSources, loadFixtures } from '../support/fixtures.ts';
import { BREEZ_SOURCES, SIGNED_SOURCES } from '../support/sources.ts';

test('every source that has fixtures is run by one of the suites', () => {
  expect([...allSources()].sort()).toEqual([...BREEZ_SOURCES, ...SIGNED_SOURCES].sort());
});

testFixtures(loadFixtures(BREEZ_SOURCES), {
  environment: {},
  nameOf: ({ name, about }) => `${name}: ${about}`,
  run: runFixture,
});
