// Callers that never stop, so that the page has something to show: a call every few seconds, most of them delivered,
// some refused, some tried again, to phones of their own.

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Sandbox } from '../sandbox.ts';

const EVERY_MS = 3_000;

const registered = z.object({ urls: z.object({ notify: z.string(), resmic: z.string() }) });

interface TrafficOptions {
  /** The service's address. */
  readonly url: string;
  readonly backendKey: string;
  readonly sandbox: Pick<Sandbox, 'script'>;
  readonly clock: { readonly after: (ms: number, task: () => void) => { cancel(): void } };
}

interface Phone {
  readonly platform: 'ios' | 'android';
  readonly token: string;
  readonly user: string;
}

const ALICE: Phone = { platform: 'ios', token: 'a11ce'.padEnd(64, '0'), user: 'alice' };
const BOB: Phone = { platform: 'android', token: 'bob-of-the-demo:APA91bDemo', user: 'bob' };
/** The phone whose app was deleted. */
const CAROL: Phone = { platform: 'android', token: 'carol-of-the-demo:APA91bDemo', user: 'carol' };

/** Resolves when the phones are registered; returns how to stop the callers. */
export async function startTraffic({
  url,
  backendKey,
  sandbox,
  clock,
}: TrafficOptions): Promise<() => void> {
  const register = async ({ platform, token, user }: Phone) => {
    const response = await fetch(`${url}/api/v1/devices`, {
      method: 'POST',
      headers: { authorization: `Bearer ${backendKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ platform, token, user, secrets: { resmic: ['whs_demo'] } }),
    });
    return registered.parse(await response.json()).urls;
  };
  const [alice, bob, carol] = await Promise.all([ALICE, BOB, CAROL].map(register));
  if (alice === undefined || bob === undefined || carol === undefined) throw new Error('no phones');
  const gone = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  sandbox.script({ provider: 'fcm', token: CAROL.token, times: Infinity, fault: gone });
  const busy = () => {
    const fault = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
    sandbox.script({ provider: 'fcm', token: BOB.token, times: 2, fault });
  };
  const repeated = paymentBody();
  /** In this order, again and again. */
  const steps: readonly (() => Promise<unknown>)[] = [
    () => post(alice.notify, paymentBody()),
    () => post(bob.notify, paymentBody()),
    () => post(alice.notify, repeated),
    () => post(alice.notify, lnurlBody()),
    () => post(carol.notify, paymentBody()),
    () => {
      busy();
      return post(bob.notify, paymentBody());
    },
    () => post(bob.notify, lnurlBody()),
    () => post(bob.resmic, '{"session_id":"591abe63","status":true}', { 'x-signature': '00' }),
    () => post(alice.notify, '{"template":"payment_received","data":{}}'),
    () => post(`${url}/n/${'x'.repeat(22)}`, paymentBody()),
  ];
  let next = 0;
  const plan = () => clock.after(EVERY_MS, call);
  const call = () => {
    // A call may fail because the demo ends, which does not matter.
    steps[next % steps.length]?.().catch(() => {});
    next += 1;
    timer = plan();
  };
  let timer = plan();
  return () => timer.cancel();
}

function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const type = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers: { ...type, ...headers }, body });
}

function paymentBody(): string {
  const data = { payment_hash: randomBytes(32).toString('hex') };
  return JSON.stringify({ template: 'payment_received', data });
}

function lnurlBody(): string {
  const data = {
    callback_url: 'https://lnurl.example.com/lnurlpay/a/invoice',
    reply_url: `https://lnurl.example.com/response/${randomBytes(8).toString('hex')}`,
  };
  return JSON.stringify({ template: 'lnurlpay_info', data });
}
