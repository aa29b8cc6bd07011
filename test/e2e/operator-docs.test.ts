// The commands and examples of the README and of the pages for operators, if they need only this machine.

import { expect, test } from 'vitest';
import { setup } from '../support/service.ts';
import { blocksOf, hasTools, runScript } from '../support/shell-examples.ts';

/** Without the tools that the pages name, the examples are skipped. */
const canRun = hasTools('bash', 'curl', 'npm', 'sqlite3');

/** A payment that was delivered at its first try. */
const FOUND = /^payment 4bb06f8e…[\s\S]*try 1 [^\n]*delivered/;
/** `nds`, as if it were on the PATH as in the image. */
const NDS = 'node bin/nds.js ';

/** A service whose log has the payment of docs/sources/notify.md, and a shell that reaches it. */
async function setupWithPayment() {
  const running = await setup();
  const { service, environment } = running;
  const { NDS_DATABASE = '', NDS_SECRET = '' } = environment;
  const run = (script: string) =>
    runScript(
      script
        .replaceAll('http://localhost:8080', service.url)
        .replaceAll('data/nds.sqlite', NDS_DATABASE)
        .replaceAll('/backup/nds-2026-11-26.sqlite', `${NDS_DATABASE}.backup`)
        .replaceAll(/^nds /gm, NDS),
      { NDS_DATABASE, NDS_SECRET },
    );
  await run(exampleOf('docs/sources/notify.md', 'curl'));
  await service.settled();
  return { ...running, run };
}

/** The block of a page that has this text. */
function exampleOf(page: string, text: string): string {
  const example = blocksOf(page, 'sh|bash').find((block) => block.includes(text));
  if (example === undefined) throw new Error(`${page} has no example with ${text}`);
  return example;
}

test.skipIf(!canRun)('the call in the README is delivered, with an empty body', async () => {
  const { run } = await setupWithPayment();
  const answer = await run(exampleOf('README.md', 'curl'));
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).toMatch(/^delivery-status: delivered\r$/im);
  expect(answer).toMatch(/\r\n\r\n$/);
});

test.skipIf(!canRun)('docs/finding-a-push.md finds a payment by command and by SQL', async () => {
  const { run } = await setupWithPayment();
  const page = 'docs/finding-a-push.md';
  expect(await run(exampleOf(page, 'nds find'))).toMatch(FOUND);
  expect(await run(exampleOf(page, 'SELECT'))).toMatch(/\|delivered\|.*\|payment_received\|/);
});

test.skipIf(!canRun)(
  'docs/operating.md reads the log, and backs it up and restores it',
  async () => {
    const { run, service, environment } = await setupWithPayment();
    const page = 'docs/operating.md';
    expect(await run(exampleOf(page, 'FROM deliveries'))).toBe('');
    expect(await run(exampleOf(page, 'nds backup'))).toContain('The secret is not in it.');
    const { NDS_SECRET = '', NDS_DATABASE = '' } = environment;
    expect(await run('nds check /backup/nds-2026-11-26.sqlite')).not.toContain('broken');
    const find = exampleOf('docs/finding-a-push.md', 'nds find').replace(/^nds /, NDS);
    const copy = { NDS_DATABASE: `${NDS_DATABASE}.backup`, NDS_SECRET };
    expect(await runScript(find, copy)).toMatch(FOUND);
    await service.stop();
    expect(await run(exampleOf(page, 'nds restore'))).toContain('What it was before is ');
  },
);
