// Part of `npm run test:api`: the library of Standard Webhooks for Python verifies an event of a running service with
// the present and the previous secret of its endpoint, and with no other.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { standInEnvironment } from '../../sandbox/environment.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startService } from '../../src/main.ts';
import { createLog } from '../../src/observe/log.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { findPackage, missing } from './python.ts';

const VERSION = '1.1.0';
const KEY = 'a-key-for-endpoints-that-is-only-for-tests';
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const VERIFY = `
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
def verified(case):
    try:
        return Webhook(case["secret"]).verify(case["raw"], case["headers"])["type"]
    except WebhookVerificationError as error:
        return str(error)
print(json.dumps([verified(case) for case in json.load(sys.stdin)]))
`;

const endpointSchema = z.object({ id: z.string(), secret: z.string() });

interface Received {
  readonly headers: object;
  readonly raw: string;
}

/** A `test.ping` that arrives after a rotation, with the new and the previous secret. */
async function receivePing(): Promise<Received & { readonly secrets: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'nds-api-'));
  await using ends = new AsyncDisposableStack();
  ends.defer(() => rmSync(folder, { recursive: true, force: true }));
  const { promise: received, resolve } = Promise.withResolvers<Received>();
  const backend = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    resolve({ headers: request.headers, raw: Buffer.concat(chunks).toString() });
    response.end();
  }).listen(0, '127.0.0.1');
  ends.defer(() => void backend.closeAllConnections());
  ends.defer(() => void backend.close());
  await once(backend, 'listening');
  const { port } = z.object({ port: z.int() }).parse(backend.address());
  const sandbox = await startSandbox({ keepPushes: 0, keepRequests: 0 });
  ends.defer(() => sandbox.close());
  const clock = createSystemClock();
  const environment = {
    ...standInEnvironment(sandbox, folder),
    NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
    NDS_SECRET: 'a secret for tests only',
    NDS_API_KEYS: `test:endpoints:${KEY}`,
    NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
  };
  const prepared = await prepare(environment, clock);
  const service = await startService(prepared, createLog('silent', clock), { clock });
  ends.defer(() => service.stop());
  const post = async (path: string, body: object = {}): Promise<unknown> => {
    const response = await fetch(`${service.url}/api/v1/endpoints${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
    return await response.json();
  };
  const url = `http://127.0.0.1:${port}/`;
  const first = endpointSchema.parse(await post('', { url }));
  const rotated = endpointSchema.parse(await post(`/${first.id}/secret/rotate`));
  await post(`/${first.id}/test`);
  return { ...(await received), secrets: [rotated.secret, first.secret] };
}

async function test(): Promise<number> {
  const programs = await findPackage('standardwebhooks', VERSION);
  if (programs === undefined) {
    process.stderr.write(missing('standardwebhooks', VERSION));
    return 1;
  }
  const { headers, raw, secrets } = await receivePing();
  const changed = raw.replace('ping', 'pong');
  const cases = [
    ...secrets.map((secret) => ({ secret, headers, raw })),
    { secret: OTHER_SECRET, headers, raw },
    { secret: secrets[0], headers, raw: changed },
  ];
  const input = JSON.stringify(cases);
  const options = { input, encoding: 'utf8' } as const;
  const { stdout, stderr } = spawnSync(join(programs, 'python'), ['-c', VERIFY], options);
  const refused = 'No matching signature found';
  const expected = JSON.stringify(['test.ping', 'test.ping', refused, refused]);
  const said = stdout.trim().replaceAll(', ', ',');
  const isRight = said === expected;
  const words = isRight ? 'verifies what is signed, and nothing else' : `says ${said} ${stderr}`;
  process.stdout.write(`standardwebhooks ${VERSION} of PyPI ${words}\n`);
  return isRight ? 0 : 1;
}

process.exitCode = await test();
