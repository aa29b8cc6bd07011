// Faults in NDS_SOURCES stop the start.

import { expect, test } from 'vitest';
import { start } from '../support/signed-doors.ts';

test('misspelt sources, apps and keys in NDS_SOURCES stop the start, without being repeated', async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [
      { secrets: { default: { resmick: ['s3cret'] } } },
      /secrets\.default\.resmick: is no source that has secrets/,
    ],
    [{ secrets: { default: { lsps5: ['s3cret'] } } }, /secrets\.default\.lsps5: is no source/],
    [
      { secrets: { walet: { resmic: ['s3cret'] } } },
      /secrets\.walet: there is no such app; there are: default/,
    ],
    [
      { secrets: { default: { standard: ['s3cret'] } } },
      /secrets\.default\.standard\.0: must be whsec_/,
    ],
    [{ secrets: { default: { resmic: [] } } }, /secrets\.default\.resmic/],
    [
      { domains: { 'a.example': { app: 'walet', secrets: ['s3cret'] } } },
      /domains\.a\.example\.app: there is no such app/,
    ],
    [{ domains: { 'A.example': { secrets: ['s3cret'] } } }, /NDS_SOURCES: domains/],
    [{ lsps5: { tolerance: 5 } }, /NDS_SOURCES: lsps5/],
    [{ lsps5: { methods: ['lsps5.unknown'] } }, /NDS_SOURCES: lsps5\.methods\.0/],
    [{ secret: {} }, /NDS_SOURCES/],
  ];
  for (const [sources, message] of cases) {
    const failure = await start(sources).then(
      () => new Error('it started'),
      (reason: unknown) => reason,
    );
    const text = failure instanceof Error ? failure.message : '';
    expect(text, JSON.stringify(sources)).toMatch(message);
    expect(text).not.toContain('s3cret');
    expect(text).toContain('The configuration has a fault:');
  }
});
