// docs/api.md: its examples run as they are written, its answers are those of the schemas, and it has every route.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listDeliveriesAnswer } from '../../../src/http/operator/deliveries.ts';
import { importAnswer } from '../../../src/http/operator/import.ts';
import { OPERATOR_ROUTES } from '../../../src/http/operator/routes.ts';
import { testPushAnswer } from '../../../src/http/operator/test-pushes.ts';
import { setup } from '../../support/service.ts';
import { blocksOf, hasTools, ROOT, runScript } from '../../support/shell-examples.ts';

const PAGE = 'docs/api.md';

test('docs/api.md has every route with its scope', () => {
  const page = readFileSync(join(ROOT, PAGE), 'utf8');
  const missing = OPERATOR_ROUTES.map(
    ({ method, path, scope }) => `| \`${method} ${path}\` | \`${scope}\` |`,
  ).filter((row) => !page.includes(row));
  expect(missing).toEqual([]);
});

test('the answers in docs/api.md are what the service says', () => {
  const [deliveries = '', push = '', lines = ''] = blocksOf(PAGE, 'json');
  expect(listDeliveriesAnswer.safeParse(JSON.parse(deliveries)).error).toBeUndefined();
  expect(testPushAnswer.safeParse(JSON.parse(push)).error).toBeUndefined();
  for (const line of lines.trim().split('\n')) {
    expect(importAnswer.safeParse(JSON.parse(line)).error).toBeUndefined();
  }
});

/** Skipped without the tools that the page names. */
test.skipIf(!hasTools('bash', 'curl'))(
  'the examples of docs/api.md run as they are written',
  async () => {
    const key = /^API_KEY=(.*)$/m.exec(blocksOf(PAGE, 'bash').join('\n'))?.[1] ?? '';
    const running = await setup({
      environment: { NDS_API_KEYS: `docs:read+operate+register:${key}` },
    });
    const script = blocksOf(PAGE, 'bash').join('\necho\n');
    const printed = await runScript(script.replace('http://localhost:8080', running.service.url));
    const [deliveries = '', push = '', line = ''] = printed.trim().split('\n');
    expect(listDeliveriesAnswer.parse(JSON.parse(deliveries))).toEqual({ deliveries: [] });
    expect(testPushAnswer.parse(JSON.parse(push))).toMatchObject({ status: 'delivered' });
    expect(importAnswer.parse(JSON.parse(line))).toMatchObject({ line: 1, status: 'added' });
  },
);
