// Proofs of machines that start together, over a memory that they share: one asks Apple, and the others wait for the answer.

import { expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../../src/core/outcome.ts';
import { proveKey } from '../../src/service/proofs.ts';
import type { ProvableKey } from '../../src/service/providers.ts';
import { openProofMemory } from '../../src/stores/sqlite/proofs.ts';
import { useFiles } from '../stores/sqlite/files.ts';
import { ManualClock } from '../support/manual-clock.ts';

const { newFile } = useFiles();
const BAD_TOKEN = { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' } as const;
const GONE = { kind: 'retry', reason: 'connection_refused', certainty: 'not_started' } as const;

/** Two machines; Apple answers the first one when the test says so. */
function setup() {
  const clock = new ManualClock();
  const memory = openProofMemory(newFile());
  onTestFinished(() => memory.close());
  const answer = Promise.withResolvers<Outcome>();
  const asked: string[] = [];
  const recalled: Outcome[] = [];
  const machine = (name: string, outcome: Promise<Outcome> | Outcome) => {
    const key: ProvableKey = {
      credentials: 'a key',
      configured: {
        ...{ provider: 'apns', keyId: 'K', teamId: 'T', topic: 't' },
        ...{ environment: 'production', endpoint: 'https://api.push.apple.com' },
      },
      prover: {
        prove: async () => {
          asked.push(name);
          return await outcome;
        },
        recall: (earlier) => recalled.push(earlier),
      },
    };
    return () => proveKey(key, { clock, memory });
  };
  const [first, second] = [machine('first', answer.promise), machine('second', BAD_TOKEN)];
  return { clock, first, second, answer, asked, recalled };
}

test('the second one acts on the answer that the first one gets', async () => {
  const { clock, first, second, answer, asked, recalled } = setup();
  const proofs = Promise.all([first(), second()]);
  await clock.run(2_500);
  answer.resolve(BAD_TOKEN);
  await clock.run(1_000);
  expect(await proofs).toMatchObject([{ verdict: 'proven' }, { verdict: 'proven', ageMs: 3_000 }]);
  expect([asked, recalled]).toEqual([['first'], [BAD_TOKEN]]);
});

test('the second one asks if the first one did not reach Apple', async () => {
  const { clock, first, second, answer, asked } = setup();
  const proofs = Promise.all([first(), second()]);
  answer.resolve(GONE);
  await clock.run(1_000);
  expect(await proofs).toMatchObject([{ verdict: 'unreachable' }, { verdict: 'proven' }]);
  expect(asked).toEqual(['first', 'second']);
});

test('waits five seconds for an answer that does not come, and not at all for that of a machine that died', async () => {
  const { clock, first, second, answer, asked } = setup();
  const waiting = first();
  const unanswered = second();
  await clock.run(5_000);
  const unknown = { verdict: 'not_asked', reason: 'asked_lately' };
  expect(await unanswered).toEqual({ ...unknown, ageMs: 5_000 });
  await clock.run(5_000);
  expect(await second()).toEqual({ ...unknown, ageMs: 10_000 });
  expect(asked).toEqual(['first']);
  answer.resolve(BAD_TOKEN);
  await waiting;
});
