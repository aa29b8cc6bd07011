// The model of the providers gives every outcome that the adapters give, and no others.

import { expect, test } from 'vitest';
import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { APNS_REASON_NAMES, apnsStatusOf, understood } from '../support/provider-answers.ts';
import { drawFate } from './fates.ts';
import { createRandom } from './random.ts';
import { SAID } from './utterances.ts';
import { SKIES } from './weather.ts';

const HEALTHS = ['good', 'dead', 'bad', 'foreign'] as const;
const DRAWS = 600;
/** Mishaps are rare on a calm day, and some happen only then. */
const CALM_DRAWS = 12_000;

function named(outcome: Outcome): string {
  const { kind } = outcome;
  switch (kind) {
    case 'delivered':
      return kind;
    case 'retry':
      return `${kind} ${outcome.reason} ${outcome.certainty}`;
    case 'rejected':
      return `${kind} ${outcome.reason} ${outcome.blame}`;
    default:
      return `${kind} ${outcome.reason}`;
  }
}

/** Every outcome that the model gives the core, in all weathers and for all phones. */
function drawn(provider: ProviderName): ReadonlySet<string> {
  const random = createRandom(1, `fates of ${provider}`);
  const found = new Set<string>();
  for (const sky of SKIES) {
    for (const health of HEALTHS) {
      const given = { provider, sky, health, waitMs: 2_000, timeoutMs: 2_000 };
      for (let n = 0; n < (sky === 'calm' ? CALM_DRAWS : DRAWS); n += 1) {
        const { outcome, late } = drawFate(random, given);
        if (outcome !== 'throws') found.add(named(outcome));
        if (late !== undefined) found.add(named(late.outcome));
      }
    }
  }
  return found;
}

test.each(['apns', 'fcm'] as const)(
  'every outcome of the %s adapter’s tables is drawn, and no other',
  (provider) => {
    const known = new Set(SAID[provider].map((said) => named(understood(provider, said))));
    known.add('delivered');
    expect([...drawn(provider)].sort()).toEqual([...known].sort());
  },
);

test('every reason of Apple’s table has the status with which Apple sends it', () => {
  for (const reason of APNS_REASON_NAMES) expect(apnsStatusOf(reason)).toBeGreaterThanOrEqual(400);
});

test('the time of an unanswered try ends at its deadline, and a late answer comes within ten seconds', () => {
  const random = createRandom(2, 'late');
  const given = { health: 'good', waitMs: 2_000, timeoutMs: 2_000 } as const;
  const fates = Array.from({ length: 2_000 }, () =>
    drawFate(random, { ...given, provider: 'fcm', sky: random.pick(['slow', 'hanging', 'calm']) }),
  );
  const answeredLate = fates.filter(({ late }) => late !== undefined);
  expect(answeredLate.length).toBeGreaterThan(100);
  for (const { endsAfterMs, late, takenAfterMs = 0 } of answeredLate) {
    expect(endsAfterMs).toBe(2_000);
    expect(late?.afterMs).toBeGreaterThanOrEqual(2_000);
    expect(late?.afterMs).toBeLessThanOrEqual(12_000);
    expect(takenAfterMs).toBeLessThanOrEqual(late?.afterMs ?? 0);
  }
});
