// The pages in docs/sources: their tables of answers agree with the code. NDS_REWRITE_DOCS=1 writes them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import type { Source } from '../../src/core/ports/source.ts';
import { BY_CONFIGURATION, codesOf } from '../../src/http/openapi/door-paths.ts';
import { createSources } from '../../src/sources/all-sources.ts';
import { describeCalls } from '../../src/sources/descriptions.ts';
import { genericConfig } from '../../src/sources/generic-config.ts';
import { LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';

const described = describeCalls().sources;
const ROOT = resolve(import.meta.dirname, '../..');

const acme = genericConfig.parse({
  name: 'acme',
  signature: { header: 'x-acme-signature', signs: '{timestamp}.{body}' },
  timestamp: { header: 'x-acme-time' },
  type: { pointer: '/type' },
});
const sources = createSources({ lsps5: LSPS5_DEFAULTS, generic: [acme] });
const pages = [...sources].map(
  ([name, source]) => [name === 'acme' ? 'generic' : name, source] as const,
);

test.each(pages)('docs/sources/%s.md lists the statuses that its caller gets', (page, source) => {
  const begin =
    '<!-- statuses: written by NDS_REWRITE_DOCS=1 npm test -- test/sources/docs.test.ts -->';
  const end = '<!-- /statuses -->';
  const file = join(ROOT, 'docs/sources', `${page}.md`);
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  expect(to).toBeGreaterThan(from);
  const expected = `${text.slice(0, from)}\n\n${statusTable(source)}\n\n${text.slice(to)}`;
  if (process.env.NDS_REWRITE_DOCS === '1') writeFileSync(file, expected);
  expect(readFileSync(file, 'utf8')).toBe(expected);
});

function statusTable(source: Source): string {
  const byStatus = new Map<number, string[]>([
    [200, ['delivered', 'queued', 'duplicate', 'ignored']],
  ]);
  for (const code of codesFor(source)) {
    const status = source.statuses[code] ?? ERRORS[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const rows = [...byStatus]
    .toSorted(([a], [b]) => a - b)
    .map(([status, names]) => `| ${status} | ${names.map((name) => `\`${name}\``).join(', ')} |`);
  return ['| status | `status` of a success, or `code` of a problem |', '|-|-|', ...rows].join(
    '\n',
  );
}

/** The codes in the description of the API. */
function codesFor({ name }: Source): readonly ErrorCode[] {
  return codesOf(described.find((source) => source.name === name) ?? BY_CONFIGURATION);
}
