// The record of when Apple was asked, beside an SQLite file: shared by processes and kept over restarts, with no other
// content.

import { statSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { openProofMemory } from '../../../src/stores/sqlite/proofs.ts';
import { proofMemoryContract } from '../../contract/proof-memory-contract.ts';
import { useFiles } from './files.ts';

const { newFile } = useFiles();

proofMemoryContract({ newPlace: newFile, open: openProofMemory });

test('makes its folder, is readable by its owner alone, and says so if it cannot be made', () => {
  const file = `${newFile()}.d/nds.sqlite`;
  const memory = openProofMemory(file);
  onTestFinished(() => memory.close());
  expect(statSync(`${file}.proofs`).mode & 0o777).toBe(0o600);
  expect(() => openProofMemory(`${file}.proofs/nds.sqlite`)).toThrow(/cannot be written/);
});
