// The memory of when Apple was asked: shared by processes, kept over restarts, and no more than that.

import { statSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { openProofMemory } from '../../../src/stores/sqlite/proofs.ts';
import { useFiles } from './files.ts';

const { newFile } = useFiles();
const GAP_MS = 600_000;
const START_MS = 1_754_049_600_000;
const REFUSED = { kind: 'misconfigured', reason: 'InvalidProviderToken' } as const;

function open(file: string) {
  const memory = openProofMemory(file);
  onTestFinished(() => memory.close());
  return {
    ...memory,
    claimAt: (ms: number, credentials = 'a key') =>
      memory.claim(credentials, { wallMs: START_MS + ms, gapMs: GAP_MS }),
  };
}

test('one of two processes may ask, and both hear the answer for ten minutes', () => {
  const file = newFile();
  const [one, other] = [open(file), open(file)];
  expect(one.claimAt(0)).toBeUndefined();
  expect(other.claimAt(1)).toEqual({ askedAtMs: START_MS });
  one.record('a key', REFUSED);
  expect(other.claimAt(GAP_MS - 1)).toEqual({ askedAtMs: START_MS, outcome: REFUSED });
  expect(other.claimAt(GAP_MS)).toBeUndefined();
  expect(one.claimAt(GAP_MS)).toEqual({ askedAtMs: START_MS + GAP_MS });
});

test.each([
  { kind: 'delivered', messageId: 'x' },
  { kind: 'unregistered', reason: 'Unregistered' },
  { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' },
  { kind: 'retry', reason: 'status_503', certainty: 'answered' },
] as const)('remembers $kind', (outcome) => {
  const memory = open(newFile());
  memory.claimAt(0);
  memory.record('a key', outcome);
  const { kind } = outcome;
  expect(memory.claimAt(1)?.outcome).toMatchObject(kind === 'delivered' ? { kind } : outcome);
});

test('other credentials are another question, and what was released may be asked at once', () => {
  const memory = open(newFile());
  expect(memory.claimAt(0)).toBeUndefined();
  expect(memory.claimAt(0, 'another key')).toBeUndefined();
  memory.release('a key');
  expect(memory.claimAt(1)).toBeUndefined();
});

test('a clock that was set back does not forbid asking for longer than the gap', () => {
  const memory = open(newFile());
  expect(memory.claimAt(0)).toBeUndefined();
  expect(memory.claimAt(-GAP_MS + 1)).toBeDefined();
  expect(memory.claimAt(-GAP_MS)).toBeUndefined();
});

test('makes its folder, is readable by its owner alone, and says so if it cannot be made', () => {
  const file = `${newFile()}.d/nds.sqlite`;
  open(file);
  expect(statSync(`${file}.proofs`).mode & 0o777).toBe(0o600);
  expect(() => openProofMemory(`${file}.proofs/nds.sqlite`)).toThrow(/cannot be written/);
});
