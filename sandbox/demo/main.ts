// `npm run demo`: the service against stand-ins of APNs and FCM on this machine. It posts what the LSPs post,
// shows what each phone got and the log as it was written, and keeps running for calls by hand.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explain } from '../../src/cli/explain.ts';
import { catchStopSignals } from '../../src/cli/signals.ts';
import type { Environment } from '../../src/config/config.ts';
import { type Service, startService } from '../../src/main.ts';
import { createLog } from '../../src/observe/log.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { standInEnvironment } from '../environment.ts';
import type { ReceivedPush } from '../records.ts';
import { type Sandbox, startSandbox } from '../sandbox.ts';
import { type Backend, startBackend } from './backend.ts';
import { DEMO_CALLS, type DemoCall } from './calls.ts';
import { formatTable } from './table.ts';
import { startTraffic } from './traffic.ts';
import { formatWakes, wakePhones } from './wakes.ts';

const IOS_TOKEN = '9f2c0a7be61d4c58a3f0b1d2e3c4f5061728394a5b6c7d8e9fa0b1c2d3e4f506';
const ANDROID_TOKEN = 'dQw4w9WgXcQ-Ex_1:APA91bDemoPhone';
const INVOICE = '{"invoice":"lni1qqdemo"}';
const APP_DATA = 'wallet-1';
/** For calls by hand. It need not be secret: the demo runs on this machine for a short time. */
const BACKEND_KEY = 'demo_backend-key';
const API_KEY = 'demo_api-key-that-is-no-secret-at-all';
/** Printed, so that `nds find` can be tried: the demo writes nothing that must stay secret. */
const SECRET = 'demo-secret-of-no-value';
/** The sources of the documentation's examples, so that they can be tried against the demo. */
const SOURCES_FILE = fileURLToPath(new URL('../../docs/sources/examples.json', import.meta.url));

const HELP = `The service against stand-ins of APNs and FCM, with the calls of each LSP.

  --once           end after the calls
  --port <number>  where the service listens, default 8080
  --help`;

const clock = createSystemClock();

interface Phone {
  readonly platform: 'ios' | 'android';
  readonly token: string;
}

const PHONES: readonly Phone[] = [
  { platform: 'ios', token: IOS_TOKEN },
  { platform: 'android', token: ANDROID_TOKEN },
];

interface Result {
  readonly phone: Phone;
  readonly call: DemoCall;
  readonly status: number;
  readonly push: ReceivedPush | undefined;
  readonly milliseconds: number;
  readonly fault: string | undefined;
}

async function demo(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      port: { type: 'string', default: '8080' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(`${HELP}\n`);
    return 0;
  }
  const signals = catchStopSignals();
  const folder = mkdtempSync(join(tmpdir(), 'nds-demo-'));
  let sandbox: Sandbox | undefined;
  let service: Service | undefined;
  let backend: Backend | undefined;
  try {
    sandbox = await startSandbox();
    const prepared = await prepare(demoEnvironment(sandbox, folder, values.port), clock);
    const { config } = prepared;
    service = await startService(prepared, createLog('silent', clock), { clock });
    await service.reach;
    const url = config.externalUrl ?? service.url;
    backend = await startBackend({ url, apiKey: API_KEY, sandbox, clock, print });
    const hangUp = answerInvoiceRequests(sandbox);
    const waking = wakePhones(
      sandbox,
      clock,
      PHONES.map(({ platform }) => platform),
    );
    print(`\nThe service listens on ${url}\nIts log is ${config.database}\n\n`);
    const results = await callAll(url, sandbox);
    hangUp();
    print(`${formatResults(results)}\n`);
    const failed = results.filter(({ fault }) => fault !== undefined);
    // If a push is missing, its phone never wakes.
    if (failed.length === 0) await waking.done;
    waking.stop();
    await service.settled();
    print(`${await formatLog(service)}\n`);
    print(`${await formatWakes(service)}\n`);
    print('Events that the vendor’s backend gets of a phone whose app was deleted\n\n');
    const isTold = await backend.hearOfDeletedApp();
    print(isTold ? '\n' : '  and no more: two events should have come\n\n');
    print(
      failed.length === 0 ? 'Every push arrived as it should.\n' : `${failed.length} failed.\n`,
    );
    if (!values.once) {
      const stopTraffic = await startTraffic({ url, backendKey: BACKEND_KEY, sandbox, clock });
      invite({ url, database: config.database }, sandbox);
      await signals.first;
      stopTraffic();
    }
    return failed.length === 0 && isTold ? 0 : 1;
  } catch (error) {
    const options = 'another port: npm run demo -- --port 18080; all options: --help';
    process.stderr.write(`The demo failed (${options}).\n${explain(error)}\n`);
    return 1;
  } finally {
    await service?.stop();
    backend?.close();
    await sandbox?.close();
    rmSync(folder, { recursive: true, force: true });
    signals.release();
  }
}

/** The same variables that production has. */
function demoEnvironment(sandbox: Sandbox, folder: string, port: string): Environment {
  return {
    ...standInEnvironment(sandbox, folder),
    PORT: port,
    NOTIFY_EXTERNAL_URL: `http://localhost:${port}`,
    NDS_SECRET: SECRET,
    NDS_BACKEND_KEYS: BACKEND_KEY,
    NDS_API_KEYS: `demo:read+operate+register+endpoints:${API_KEY}`,
    // The backend is on this machine.
    NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
    NDS_SELF_REGISTRATION: 'on',
    NDS_APPS: '{"default":{"receipts":true}}',
    NDS_SOURCES_FILE: SOURCES_FILE,
  };
}

/** A phone that wakes quickly and answers, as the wallet's extension would. */
function answerInvoiceRequests(sandbox: Sandbox): () => void {
  return sandbox.onPush((push) => {
    if (push.data.notification_type !== 'invoice_request') return;
    const payload: unknown = JSON.parse(push.data.notification_payload ?? '{}');
    const replyUrl = isRecord(payload) ? payload.reply_url : undefined;
    if (typeof replyUrl !== 'string') return;
    fetch(replyUrl, { method: 'POST', body: INVOICE }).catch(() => {});
  });
}

async function callAll(url: string, sandbox: Sandbox): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const call of DEMO_CALLS) {
    for (const phone of PHONES) results.push(await callOne(url, sandbox, { call, phone }));
  }
  return results;
}

async function callOne(
  url: string,
  sandbox: Sandbox,
  { call, phone }: { readonly call: DemoCall; readonly phone: Phone },
): Promise<Result> {
  const query = new URLSearchParams({ ...phone, app_data: APP_DATA });
  const before = sandbox.received(phone.token).length;
  const startedMs = clock.nowMs();
  const response = await fetch(`${url}/api/v1/notify?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: call.body,
  });
  const answer = await response.text();
  const milliseconds = clock.nowMs() - startedMs;
  const pushes = sandbox.received(phone.token).slice(before);
  const [push] = pushes;
  const fault = faultOf({ call, pushes, status: response.status, answer });
  return { phone, call, status: response.status, push, milliseconds, fault };
}

/** What is wrong with the push and the answer; undefined if all is well. */
function faultOf(got: {
  readonly call: DemoCall;
  readonly pushes: readonly ReceivedPush[];
  readonly status: number;
  readonly answer: string;
}): string | undefined {
  const { call, pushes, status, answer } = got;
  const [push] = pushes;
  if (status !== 200) return `answered ${status}`;
  if (push === undefined || pushes.length !== 1) return `${pushes.length} pushes`;
  // An Android push is data only: the app writes its own title.
  const title = push.platform === 'ios' ? call.title : undefined;
  if (push.title !== title) return `title ${push.title}`;
  if (push.data.notification_type !== call.type) return `type ${push.data.notification_type}`;
  if (push.data.app_data !== APP_DATA) return `app_data ${push.data.app_data}`;
  if (call.wantsReply === true) return answer === INVOICE ? undefined : `the caller got ${answer}`;
  const expected = JSON.stringify(call.payload);
  return push.data.notification_payload === expected ? undefined : 'another payload';
}

function formatResults(results: readonly Result[]): string {
  const rows = results.map(({ phone, call, status, push, milliseconds, fault }) => [
    phone.platform,
    call.caller,
    push?.data.notification_type ?? '–',
    String(status),
    `${milliseconds.toFixed(1)} ms`,
    fault ?? 'ok',
  ]);
  return `What the phones received\n\n${formatTable(
    ['phone', 'caller', 'notification_type', 'answer', 'took', ''],
    rows,
  )}\n`;
}

async function formatLog(service: Service): Promise<string> {
  const deliveries = await service.store.findDeliveries({ limit: 100 });
  const rows = deliveries
    .toReversed()
    .map((delivery) => [
      delivery.provider,
      delivery.type,
      delivery.status,
      String(delivery.attempts.length),
      delivery.attempts.map((attempt) => `${attempt.latencyMs} ms`).join(', '),
      delivery.answeredAtMs === undefined ? '' : 'yes',
    ]);
  return `The deliveries as the database has them\n\n${formatTable(
    ['provider', 'type', 'status', 'attempts', 'provider took', 'replied'],
    rows,
  )}\n`;
}

function invite(
  { url, database }: { readonly url: string; readonly database: string },
  sandbox: Sandbox,
): void {
  const ours = new Set(PHONES.map(({ token }) => token));
  sandbox.onPush(({ platform, token, title, data }) => {
    if (!ours.has(token)) return;
    const shown = title === undefined ? '' : ` "${title}"`;
    print(
      `  ${platform} got ${data.notification_type}${shown} ${data.notification_payload ?? ''}\n`,
    );
  });
  print(`Try it yourself (Ctrl-C ends the demo):\n
  curl -i '${url}/api/v1/notify?platform=android&token=${ANDROID_TOKEN}' \\
    -d '{"template":"payment_received","data":{"payment_hash":"1234"}}'

Then find it in the log, from another terminal:

  NDS_DATABASE=${database} \\
    NDS_SECRET=${SECRET} npm run nds -- find 1234

Register a device and get its URLs, one for each route (docs/devices.md):

  curl '${url}/api/v1/devices' -H 'Authorization: Bearer ${BACKEND_KEY}' \\
    -d '{"platform":"android","token":"${ANDROID_TOKEN}",
         "secrets":{"resmic":["whs_1"]}}'

Look at the page, where calls keep coming (docs/admin-page.md):

  ${url}/admin/
  key: ${API_KEY}\n\n`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function print(text: string): void {
  process.stdout.write(text);
}

try {
  process.exitCode = await demo();
} catch (error) {
  // Options that parseArgs does not know.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
