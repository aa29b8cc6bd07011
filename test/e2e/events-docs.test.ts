// The commands and examples of docs/events.md, if they need only this machine.

import { expect, test } from 'vitest';
import { startReceiver } from '../support/event-receiver.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from '../support/operator-calls.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';
import { blocksOf, hasTools, runScript } from '../support/shell-examples.ts';

const canRun = hasTools('bash', 'curl', 'sqlite3');
const PAGE = 'docs/events.md';
const SECRET = /whsec_[A-Za-z0-9+/]{43}=/;

async function start() {
  const receiver = await startReceiver();
  const running = await setup({
    environment: { ...OPERATOR_ENVIRONMENT, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' },
  });
  const { NDS_DATABASE = '', NDS_SECRET = '' } = running.environment;
  const run = (script: string, more: Readonly<Record<string, string>> = {}) =>
    runScript(
      script
        .replaceAll('https://nds.example.com', running.service.url)
        .replaceAll('https://backend.example.com/nds', receiver.url)
        .replaceAll(/^nds /gm, 'node bin/nds.js '),
      { NDS_DATABASE, NDS_SECRET, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8', ...more },
    );
  return { receiver, running, run };
}

test.skipIf(!canRun)('an endpoint is registered by curl, and the answer is as shown', async () => {
  const { run } = await start();
  const [curl = ''] = blocksOf(PAGE, 'sh');
  const [shown = ''] = blocksOf(PAGE, 'json');
  const answer: unknown = JSON.parse(await run(curl, { KEY: KEYS.endpoints }));
  const expected: object = JSON.parse(shown);
  expect(Object.keys(Object(answer)).toSorted()).toEqual(Object.keys(expected).toSorted());
  expect(answer).toMatchObject({
    object: 'endpoint',
    status: 'enabled',
    description: 'production',
  });
});

test.skipIf(!canRun)('the commands do what the page says, and the tables show it', async () => {
  const { run, running, receiver } = await start();
  const [, add = '', all = ''] = blocksOf(PAGE, 'sh');
  const added = await run(add);
  expect(added).toMatch(SECRET);
  const ID = /ep_[0-9a-f-]{36}/.exec(added)?.[0] ?? '';
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault });
  await running.notify(ANDROID_TOKEN, 'ab'.repeat(32));
  await receiver.wait(2);
  const printed = await run(all, { ID });
  expect(printed).toMatch(/^Delivered: 200 after /m);
  expect(printed).toContain('delivered  test.ping');
  expect(printed).toContain('status         disabled: by hand');
  expect(printed).toContain('events         *');
  expect(printed).toMatch(/^Everything since \S+ that is kept is sent again\.$/m);
  expect(printed).toMatch(SECRET);
  const again = (await receiver.wait(5)).slice(3);
  expect(again.map(({ event }) => event.type).toSorted()).toEqual([
    'delivery.unregistered',
    'device.quarantined',
  ]);
  const [sql = ''] = blocksOf(PAGE, 'sql').filter((block) => block.includes('endpoint_attempts'));
  const rows = await run(`sqlite3 -readonly "$NDS_DATABASE" <<'SQL'\n${sql}SQL\n`);
  expect(rows).toMatch(/\|delivery\.unregistered\|default\|UNREGISTERED$/m);
  expect(rows).toContain(`${ID}|test.ping|delivered|200|`);
});
