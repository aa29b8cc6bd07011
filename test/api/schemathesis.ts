// `npm run test:api`: schemathesis reads /openapi.json of a running service and sends calls that it allows, and calls
// that it does not. Every answer must be described, and none may be 500. Installs schemathesis into a cache folder if
// it is missing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { standInEnvironment } from '../../sandbox/environment.ts';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { SCOPES } from '../../src/core/operating/scopes.ts';
import { startService } from '../../src/main.ts';
import { createLog } from '../../src/observe/log.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { findPackage, missing } from './python.ts';

const VERSION = '4.32.5';
const HELP = `Tests the running service against its own description, by schemathesis.

  --seconds <number>  how long at most (default 60)
  --seed <number>     replays a run
  --help`;

const BREEZ_DOORS = ['notify', 'notifyShort', 'notifyByHandle', 'notifyByHandleShort'];
const KEY = 'a-key-for-schemathesis-that-opens-all';
const DOMAIN = 'pay.example.com';

/** No limit may hide an answer, and no call waits long for a phone. */
function environment(sandbox: Sandbox, folder: string): Record<string, string> {
  const unlimited = '9999999/9999999';
  return {
    ...standInEnvironment(sandbox, folder),
    NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
    NOTIFY_EXTERNAL_URL: 'http://127.0.0.1',
    NDS_SECRET: 'a secret for tests only',
    NDS_API_KEYS: `test:${SCOPES.join('+')}:${KEY}`,
    NDS_SELF_REGISTRATION: 'on',
    NDS_SOURCES: JSON.stringify({ domains: { [DOMAIN]: { secrets: ['a secret'] } } }),
    NDS_REPLY_DEADLINE: '1s',
    NDS_TOKEN_RATE: unlimited,
    NDS_GLOBAL_RATE: unlimited,
    NDS_REGISTRATION_RATE: unlimited,
  };
}

/** Registers a device whose handles the calls use, besides those that schemathesis registers and invents. */
async function registerDevice(url: string): Promise<Readonly<Record<string, string>>> {
  const response = await fetch(`${url}/api/v1/devices`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ platform: 'android', token: 'dQw4w9WgXcQ-Ex_1:APA91bApi' }),
  });
  const { urls } = z
    .object({ urls: z.record(z.string(), z.string()) })
    .parse(await response.json());
  return urls;
}

/**
 * A call that is valid by its schema may still be refused: because of a token, a signature or a handle. A provider or a
 * phone may fail; that is not an error of the service.
 */
function settings(urls: Readonly<Record<string, string>>, seconds: number): string {
  const doors = Object.entries(urls).map(([door, url]) => {
    const path = new URL(url).pathname;
    const handle = path.slice(path.lastIndexOf('/') + 1);
    const known =
      door === 'notify' ? ['notifyByHandle', 'notifyByHandleShort'] : [`webhook_${door}`];
    return known.map((operation) => [operation, 'handle', handle] as const);
  });
  const parameters = [
    ...doors.flat(),
    ['webhook_spark_payment_received', 'domain', DOMAIN] as const,
  ];
  return [
    'request-timeout = 20.0',
    `headers = { Accept = "application/json" }`,
    '[auth.openapi.key]',
    `bearer = "${KEY}"`,
    // Limited, so that there is also time for sequences of calls, which come last.
    '[phases.fuzzing.generation]',
    `max-examples = ${Math.ceil(seconds / 3)}`,
    '[checks.not_a_server_error]',
    'expected-statuses = ["2xx", "3xx", "4xx", "502", "503", "504"]',
    // It guesses relations from names, but a delivery is not the resource of a handle.
    '[checks.ensure_resource_availability]',
    'enabled = false',
    '[checks.negative_data_rejection]',
    'expected-statuses = ["4xx", "5xx"]',
    '[checks.positive_data_acceptance]',
    'expected-statuses = ["2xx", "400", "401", "404", "409", "410", "413", "422", "429", "5xx"]',
    ...parameters.flatMap(([operation, name, value]) => [
      '[[operations]]',
      `include-operation-id = "${operation}"`,
      `parameters = { ${name} = "${value}" }`,
    ]),
    // It cannot write lines of JSON.
    '[[operations]]',
    'include-operation-id = "importDevices"',
    'enabled = false',
    // A body that one form of the Breez family forbids may be valid as another form, which this check does not see. A
    // receipt is always answered 204.
    '[[operations]]',
    `include-operation-id = ${JSON.stringify([...BREEZ_DOORS, 'receipt'])}`,
    'checks = { negative_data_rejection = { enabled = false } }',
    '',
  ].join('\n');
}

async function test(seconds: string, seed: string | undefined): Promise<number> {
  const programs = await findPackage('schemathesis', VERSION);
  if (programs === undefined) {
    process.stderr.write(missing('schemathesis', VERSION));
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'nds-api-'));
  await using ends = new AsyncDisposableStack();
  ends.defer(() => rmSync(folder, { recursive: true, force: true }));
  const sandbox = await startSandbox({ keepPushes: 0, keepRequests: 0 });
  ends.defer(() => sandbox.close());
  const clock = createSystemClock();
  const prepared = await prepare(environment(sandbox, folder), clock);
  const service = await startService(prepared, createLog('silent', clock), { clock });
  ends.defer(() => service.stop());
  const config = join(folder, 'schemathesis.toml');
  writeFileSync(config, settings(await registerDevice(service.url), Number(seconds)));
  const child = spawn(
    join(programs, 'st'),
    [
      ...['--no-color', '--config-file', config, 'run', `${service.url}/openapi.json`],
      ...['--max-time', seconds, '--generation-database', 'none', '--warnings', 'off'],
      ...(seed === undefined ? [] : ['--seed', seed]),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], cwd: folder },
  );
  const [code] = await once(child, 'exit');
  return code === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else process.exitCode = await test(values.seconds, values.seed);
