// The real callers, each with its real behaviour, while the service is killed during their calls: a call that a caller
// counted as success reached the phone, and an answer that a caller got is the phone's own.

import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Boltz, createBoltz } from '../../sandbox/callers/boltz.ts';
import { type BreezLnurl, openBreezLnurl } from '../../sandbox/callers/breez-lnurl.ts';
import { createLdk, type Ldk } from '../../sandbox/callers/ldk.ts';
import { createLspd, type Lspd } from '../../sandbox/callers/lspd.ts';
import { createSvix, type Svix } from '../../sandbox/callers/svix.ts';
import { type ReceivedPush, type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { send } from '../support/callers.ts';
import { createChance, seedFrom } from '../support/chance.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from '../support/operator-calls.ts';
import { authorization } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  notifyPath,
  sandboxEnvironment,
  temporaryFolder,
} from '../support/service.ts';
import { faultsOf, readOpenIds } from './database.ts';
import { beginLife, type Life } from './life.ts';

const KILLS = 6;
const INVOICE = '{"invoice":"lni1qqchaos"}';
const PAY_INFO = '{"tag":"payRequest","minSendable":1}';
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const deviceSchema = z.object({ urls: z.record(z.string(), z.string()) });
const payloadSchema = z.looseObject({ reply_url: z.string() });

/** The callers and the service's address; there is no address while the service is dead. */
interface Scene {
  readonly callers: {
    readonly lspd: Lspd;
    readonly lnurl: BreezLnurl;
    readonly boltz: Boltz;
    readonly ldk: Ldk;
    readonly svix: Svix;
  };
  readonly paths: { readonly notify: string; readonly lsps5: string; readonly standard: string };
  address: Promise<string>;
  over: boolean;
}

/** A call that its caller counted as success, by the data that its push must have. */
interface Success {
  readonly caller: string;
  readonly mark: string;
  /** The phone's answer, for callers that wait for one. */
  readonly reply?: string | undefined;
}

/** Makes one call; undefined if its caller counts it as failed. Rejects if the service died meanwhile. */
type Call = (url: (path: string) => string, number: number) => Promise<Success | undefined>;

function callsOf({ callers, paths }: Scene): readonly Call[] {
  const { lspd, lnurl, boltz, ldk, svix } = callers;
  const isSuccess = ({ status }: { readonly status: number }) => status >= 200 && status < 300;
  return [
    async (url, number) => {
      const answer = await lspd.paymentReceived(url(paths.notify), `hash-${number}`);
      return isSuccess(answer) ? { caller: 'lspd', mark: `"hash-${number}"` } : undefined;
    },
    async (url) => {
      const { notified, reply, replyUrl } = await lnurl.payInfo(url(notifyPath(ANDROID_TOKEN)));
      if (notified.status !== 200) return undefined;
      return { caller: 'breez-lnurl', mark: `"${replyUrl}"`, reply: reply ?? 'unavailable' };
    },
    async (url, number) => {
      const swap = { id: `swap-${number}`, status: 'transaction.mempool' };
      const answer = await boltz.swapUpdate(url(notifyPath(IOS_TOKEN)), swap);
      return isSuccess(answer) ? { caller: 'boltz', mark: `"swap-${number}"` } : undefined;
    },
    async (url, number) => {
      const invoiceRequest = number.toString(16).padStart(64, '0');
      const request = { offer: 'lno1qq', invoiceRequest };
      const reply = await boltz.invoiceRequest(url(notifyPath(ANDROID_TOKEN)), request);
      return reply === undefined
        ? undefined
        : { caller: 'boltz invoice', mark: `"${invoiceRequest}"`, reply };
    },
    async (url) => {
      const { status, timestamp } = await ldk.paymentIncoming(url(paths.lsps5));
      return status === 200 ? { caller: 'ldk', mark: `"${timestamp}"` } : undefined;
    },
    async (url, number) => {
      const body = JSON.stringify({ type: 'payment.succeeded', data: { number } });
      const answer = await svix.send(url(paths.standard), { id: `msg-${number}`, body });
      return isSuccess(answer) ? { caller: 'svix', mark: `"msg-${number}"` } : undefined;
    },
  ];
}

/** Every caller makes one call after the other, whenever the service has an address. */
function startCalling(scene: Scene) {
  const successes: Success[] = [];
  let number = 0;
  let unanswered = 0;
  let mostHeldByLspd = 0;
  const work = async (call: Call): Promise<void> => {
    for (;;) {
      const address = await scene.address;
      if (scene.over) return;
      number += 1;
      // If the service dies during a call, a caller calls again later; here at the next address.
      const success = await call((path) => `${address}${path}`, number).catch(() => {
        unanswered += 1;
        return undefined;
      });
      mostHeldByLspd = Math.max(mostHeldByLspd, scene.callers.lspd.held);
      if (success !== undefined) successes.push(success);
    }
  };
  const done = Promise.all(callsOf(scene).map(work));
  return {
    successes,
    done,
    counts: () => ({ calls: number, successes: successes.length, unanswered, mostHeldByLspd }),
  };
}

/** A phone that wakes quickly and posts to the address in its push. */
function answerAsPhone(sandbox: Sandbox, scene: Scene): void {
  const post = (url: string, body: string) => fetch(url, { method: 'POST', body }).catch(() => {});
  sandbox.onPush(({ data }: ReceivedPush) => {
    const type = data.notification_type;
    if (type !== 'lnurlpay_info' && type !== 'invoice_request') return;
    const { reply_url: replyUrl } = payloadSchema.parse(
      JSON.parse(data.notification_payload ?? ''),
    );
    if (type === 'lnurlpay_info') void post(replyUrl, PAY_INFO);
    else void scene.address.then((to) => post(`${to}${new URL(replyUrl).pathname}`, INVOICE));
  });
}

async function register(url: string, nodeId: string): Promise<Scene['paths']> {
  const response = await fetch(`${url}/api/v1/devices`, {
    method: 'POST',
    headers: { ...authorization(), accept: 'application/json' },
    body: JSON.stringify({
      platform: 'android',
      token: ANDROID_TOKEN,
      lsp_node_ids: [nodeId],
      secrets: { standard: [SECRET] },
    }),
  });
  const { urls } = deviceSchema.parse(await response.json());
  const path = (door: string) => new URL(urls[door] ?? 'missing:').pathname;
  return { notify: path('notify'), lsps5: path('lsps5'), standard: path('standard') };
}

/**
 * Waiting deliveries are tried at once, as an operator can request; otherwise this would take up to 25 s.
 * `kill.test.ts` waits for them.
 */
async function settleAtOnce(life: Life, url: string, ids: readonly string[]): Promise<void> {
  const settled = life.settles(ids);
  for (const id of ids) {
    const retry = { method: 'POST', path: `/api/v1/deliveries/${id}/retry` };
    const { status, text } = await send(url, { ...retry, headers: authorization(KEYS.operate) });
    // 409: the delivery has ended meanwhile, or its token is held and it is tried later by itself.
    expect([200, 409], text).toContain(status);
  }
  await settled;
}

async function setup() {
  const sandbox = await startSandbox();
  const folder = temporaryFolder();
  const environment = {
    ...sandboxEnvironment(sandbox, folder),
    ...OPERATOR_ENVIRONMENT,
    NDS_ATTEMPT_TIMEOUT: '1s',
    NDS_TOKEN_RATE: '1000000/1000000',
  };
  const callers = {
    lspd: createLspd(),
    lnurl: await openBreezLnurl(),
    boltz: createBoltz({ tickMs: 200 }),
    ldk: createLdk(Buffer.alloc(32, 0x42)),
    svix: createSvix({ secret: SECRET }),
  };
  onTestFinished(async () => {
    for (const caller of Object.values(callers)) await caller.close();
    await sandbox.close();
  });
  return { sandbox, environment, file: join(folder, 'nds.sqlite'), callers };
}

test('keeps its promises to the real callers through kills', async () => {
  const seed = seedFrom('NDS_CHAOS_SEED');
  const chance = createChance(seed);
  const { sandbox, environment, file, callers } = await setup();
  const first = beginLife(environment);
  const paths = await register((await first.listening) ?? '', callers.ldk.nodeId);
  expect(await first.stop(), first.stderr).toBe(0);
  for (const fault of [{ kind: 'reset' }, { kind: 'html' }] as const) {
    sandbox.script({ share: 0.05, times: Infinity, fault });
  }

  let next = Promise.withResolvers<string>();
  const scene: Scene = { callers, paths, address: next.promise, over: false };
  answerAsPhone(sandbox, scene);
  const calling = startCalling(scene);
  for (let kills = 0; kills < KILLS; kills += 1) {
    const life = beginLife(environment);
    next.resolve((await life.listening) ?? '');
    // The address is removed before the service dies, so that no caller calls a dead service in a loop.
    await sandbox.waitFor(() => true, sandbox.stats().pushes + chance.between(20, 120));
    next = Promise.withResolvers<string>();
    scene.address = next.promise;
    life.kill();
    await life.ended;
  }
  sandbox.clearFaults();
  const last = beginLife(environment);
  scene.over = true;
  next.resolve((await last.listening) ?? '');
  await calling.done;
  await settleAtOnce(last, (await last.listening) ?? '', readOpenIds(file));
  expect(await last.stop(), last.stderr).toBe(0);

  const counts = calling.counts();
  console.log({ seed, ...counts, pushes: sandbox.received().length });
  const payloads = sandbox.received().map(({ data }) => data.notification_payload ?? '');
  const lost = calling.successes.filter(
    ({ mark }) => !payloads.some((text) => text.includes(mark)),
  );
  expect(lost).toEqual([]);
  // No answer of a webhook door has a byte that lspd would have to read.
  expect(counts.mostHeldByLspd).toBe(0);
  const replies = calling.successes.filter(({ reply }) => reply !== undefined);
  for (const { caller, reply } of replies) {
    expect([caller, reply]).toEqual([caller, caller === 'breez-lnurl' ? PAY_INFO : INVOICE]);
  }
  const heard = new Set(calling.successes.map(({ caller }) => caller));
  expect([...heard].sort()).toEqual([
    'boltz',
    'boltz invoice',
    'breez-lnurl',
    'ldk',
    'lspd',
    'svix',
  ]);
  expect(faultsOf(file)).toEqual([]);
});
