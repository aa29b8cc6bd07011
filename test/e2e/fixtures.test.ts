// Every fixture of the Breez family in the token form. One service, database and clock for each.

import { expect, test } from 'vitest';
import { allSources, loadFixtures, runFixture } from '../support/fixture-runner.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { setup } from '../support/service.ts';
import { BREEZ_SOURCES, SIGNED_SOURCES } from '../support/sources.ts';

test('every source that has fixtures is run by one of the suites', () => {
  expect([...allSources()].sort()).toEqual([...BREEZ_SOURCES, ...SIGNED_SOURCES].sort());
});

for (const fixture of loadFixtures(BREEZ_SOURCES)) {
  test(`${fixture.name}: ${fixture.about}`, async () => {
    const clock = new ManualClock(fixture.now_unix_ms);
    const running = await setup({ clock });
    await runFixture(fixture, { running, clock });
  });
}
