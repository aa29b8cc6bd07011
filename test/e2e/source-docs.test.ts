// The pages in docs/sources: copied into a shell in their order, their examples register a device, sign a
// call and cause a push.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { setup } from '../support/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'docs/sources');
const EXAMPLES = join(FOLDER, 'examples.json');
const PAGES = readdirSync(FOLDER).filter((file) => file.endsWith('.md'));

function blocksOf(page: string, languages: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`(?:${languages})\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  const content = readFileSync(join(FOLDER, page), 'utf8');
  return [...content.matchAll(fence)].map((match) => match[1] ?? '');
}

const tools = ['bash', 'curl', 'openssl', 'sed'];
const hasTools = tools.every((tool) => spawnSync(tool, ['--version']).error === undefined);

/** Without the tools that the pages name, nobody can run their examples. */
test.skipIf(!hasTools).each(PAGES)('the examples of docs/sources/%s run in order', async (page) => {
  const running = await setup({
    environment: { NDS_BACKEND_KEYS: 'demo-backend-key', NDS_SOURCES_FILE: EXAMPLES },
  });
  const script = blocksOf(page, 'sh|bash')
    .join('\necho\n')
    .replaceAll('http://localhost:8080', running.service.url);
  const printed = await run(script);
  const calls = script.match(/^curl -i -X POST/gm)?.length ?? 0;
  expect(calls).toBeGreaterThan(0);
  expect(printed.match(/^HTTP\/1\.1 .*$/gm)?.map((line) => line.trim())).toEqual(
    Array.from({ length: calls }, () => 'HTTP/1.1 200 OK'),
  );
  expect(running.sandbox.received()).toHaveLength(calls);
});

const examples = z.object({ generic: z.array(z.object({ name: z.string() }).loose()) });

test('docs/sources/examples.json holds the sources of docs/sources/generic.md, each with a call', () => {
  const shown = blocksOf('generic.md', 'json').map((block) => JSON.parse(block));
  const { generic } = examples.parse(JSON.parse(readFileSync(EXAMPLES, 'utf8')));
  expect(shown).toEqual(generic);
  const scripts = blocksOf('generic.md', 'bash').join('\n');
  for (const { name } of generic) {
    expect(scripts).toContain(`http://localhost:8080/api/v1/webhooks/${name}/$HANDLE`);
  }
});

/** Runs a script as a reader would, in this repository, with this Node. */
async function run(script: string): Promise<string> {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaints = text(child.stderr);
  const ended = once(child, 'close');
  const printed = await text(child.stdout);
  expect(await ended, `${await complaints}\n${printed}`).toEqual([0, null]);
  return printed;
}
