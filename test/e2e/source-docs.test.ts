// The pages in docs/sources: copied into a shell in their order, their examples register a device, sign a call and
// cause a push.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { setup } from '../support/service.ts';
import { blocksOf, hasTools, ROOT, runScript } from '../support/shell-examples.ts';

const FOLDER = 'docs/sources';
const EXAMPLES = join(ROOT, FOLDER, 'examples.json');
const PAGES = readdirSync(join(ROOT, FOLDER)).filter((file) => file.endsWith('.md'));
const canRun = hasTools('bash', 'curl', 'openssl', 'sed');

/** Skipped without the tools that the pages name. */
test.skipIf(!canRun).each(PAGES)('the examples of docs/sources/%s run in order', async (page) => {
  const running = await setup({
    environment: { NDS_BACKEND_KEYS: 'demo_backend-key', NDS_SOURCES_FILE: EXAMPLES },
  });
  const script = blocksOf(join(FOLDER, page), 'sh|bash')
    .join('\necho\n')
    .replaceAll('http://localhost:8080', running.service.url);
  const printed = await runScript(script);
  const calls = script.match(/^curl -i -X POST/gm)?.length ?? 0;
  expect(calls).toBeGreaterThan(0);
  expect(printed.match(/^HTTP\/1\.1 .*$/gm)?.map((line) => line.trim())).toEqual(
    Array.from({ length: calls }, () => 'HTTP/1.1 200 OK'),
  );
  expect(running.sandbox.received()).toHaveLength(calls);
});

const examples = z.object({ generic: z.array(z.object({ name: z.string() }).loose()) });

test('docs/sources/examples.json has the sources of docs/sources/generic.md, each with a call', () => {
  const shown = blocksOf('docs/sources/generic.md', 'json').map((block) => JSON.parse(block));
  const { generic } = examples.parse(JSON.parse(readFileSync(EXAMPLES, 'utf8')));
  expect(shown).toEqual(generic);
  const scripts = blocksOf('docs/sources/generic.md', 'bash').join('\n');
  for (const { name } of generic) {
    expect(scripts).toContain(`http://localhost:8080/api/v1/webhooks/${name}/$HANDLE`);
  }
});
