// The examples of docs/wallet: the parsers of their languages can read them, they are short, and they send what the
// service reads. They are not compiled here.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Language, Parser } from 'web-tree-sitter';
import { REASONS, STAGES } from '../../src/core/receipts/receipt.ts';

const DOCS = resolve(import.meta.dirname, '../../docs/wallet');
const EXAMPLES = [
  { language: 'swift', file: 'NdsReceipt.swift' },
  { language: 'kotlin', file: 'NdsReceipt.kt' },
] as const;

const read = (file: string) => readFileSync(join(DOCS, file), 'utf8');

beforeAll(() => Parser.init());

async function hasError(language: string, text: string): Promise<boolean> {
  const require = createRequire(import.meta.url);
  const grammar = require.resolve(`tree-sitter-wasms/out/tree-sitter-${language}.wasm`);
  const parser = new Parser();
  parser.setLanguage(await Language.load(grammar));
  return parser.parse(text)?.rootNode.hasError !== false;
}

test.each(EXAMPLES)('$file can be parsed, and has at most 60 lines', async ({ language, file }) => {
  const text = read(file);
  expect(await hasError(language, text)).toBe(false);
  expect(await hasError(language, text.replace('{', '('))).toBe(true);
  expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(60);
});

test.each(EXAMPLES)('$file reads and sends the names of the contract', ({ file }) => {
  const text = read(file);
  for (const name of ['nds', 'r', 'n', 'stage', 't', 'why', 'shown']) {
    expect(text, name).toContain(`"${name}"`);
  }
  // A timeout of a second at most, and nothing waits for the answer.
  expect(text).toMatch(/timeoutInterval: 1\)|readTimeout = 1_000/);
});

test('docs/wallet/receipts.md names every stage and reason', () => {
  const text = read('receipts.md');
  for (const name of [...STAGES, ...REASONS]) expect(text, name).toContain(`\`${name}\``);
});
