// Runs the service, the stand-ins and the phones: first a push that wakes every phone that sends receipts, then one to
// each phone with its fault, and last what the service concludes about each.

import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { standInEnvironment } from '../../sandbox/environment.ts';
import { FAULTS, type Fault } from '../../sandbox/phones/faults.ts';
import { type Behaviour, Phone, receiptOf } from '../../sandbox/phones/phone.ts';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { concludeWake } from '../../src/core/receipts/conclusion.ts';
import { type Service, startService } from '../../src/main.ts';
import { createLog } from '../../src/observe/log.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import type { Judged } from './judge.ts';

export interface RunOptions {
  readonly phones: number;
  readonly perSecond: number;
  readonly folder: string;
}

/** The base of the receipts' addresses: nothing listens there; the phones post to the service directly. */
const EXTERNAL_URL = 'https://nds.example.com';
/** A short race, so that waiting for late receipts takes little time: useful for 12 s. */
const LIFETIME_SECONDS = 20;
const USEFUL_MS = 12_000;
const LATEST_MS = USEFUL_MS + 4_000;
const FIRST_WAKE: Behaviour = { wakeMs: 20, workMs: 0 };

interface Tested {
  readonly token: string;
  readonly platform: 'ios' | 'android';
  readonly fault: Fault;
  readonly phone: Phone;
  behaviour: Behaviour;
  deliveryId: string | undefined;
}

export async function runPhones(options: RunOptions): Promise<readonly Judged[]> {
  const sandbox = await startSandbox({ keepPushes: 0, keepRequests: 0 });
  const service = await start(sandbox, options.folder);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    const calls = new Calls(service.url, agent);
    const phones = Array.from({ length: options.phones }, (_, number) =>
      createPhone(number, calls),
    );
    const byToken = new Map(phones.map((one) => [one.token, one]));
    sandbox.onPush((push) => {
      const receipt = receiptOf(push);
      const one = byToken.get(push.token);
      if (receipt !== undefined) one?.phone.arrive(receipt, one.behaviour);
    });
    const senders = phones.filter(({ fault }) => fault.isSender);
    await callAll(senders, calls, options.perSecond);
    await wait(1_000);
    for (const one of phones) {
      one.behaviour = one.fault.behaviour({ usefulMs: USEFUL_MS, draw: Math.random });
    }
    await callAll(phones, calls, options.perSecond);
    await wait(LATEST_MS);
    await calls.ended();
    await service.settled();
    return await Promise.all(phones.map((one) => conclude(service, one)));
  } finally {
    agent.destroy();
    await service.stop();
    await sandbox.close();
  }
}

async function conclude({ receipts }: Service, { fault, deliveryId }: Tested): Promise<Judged> {
  const wake = await receipts.findWake(deliveryId ?? '');
  return { fault, conclusion: wake && concludeWake(wake) };
}

function createPhone(number: number, calls: Calls): Tested {
  const isIos = number % 2 === 0;
  // Only Android demotes pushes.
  const faults = FAULTS.filter(({ conclusion }) => !isIos || conclusion !== 'demoted');
  const fault = faults[(number >> 1) % faults.length] ?? FAULTS[0];
  if (fault === undefined) throw new Error('there are no faults');
  const phone = new Phone({
    nowMs: () => performance.now(),
    after: (ms, task) => void setTimeout(task, ms),
    post: (address, body) => void calls.post(new URL(address).pathname, JSON.stringify(body)),
  });
  const token = isIos ? randomBytes(32).toString('hex') : `phone-${number}:APA91b`;
  const platform = isIos ? 'ios' : 'android';
  return { token, platform, fault, phone, behaviour: FIRST_WAKE, deliveryId: undefined };
}

async function callAll(phones: readonly Tested[], calls: Calls, perSecond: number): Promise<void> {
  const startMs = performance.now();
  for (const [index, one] of phones.entries()) {
    const dueMs = startMs + (index * 1_000) / perSecond;
    const leftMs = dueMs - performance.now();
    if (leftMs > 1) await wait(leftMs);
    const { token, platform } = one;
    const query = new URLSearchParams({ platform, token });
    const hash = randomBytes(32).toString('hex');
    const body = JSON.stringify({ template: 'payment_received', data: { payment_hash: hash } });
    void calls.post(`/api/v1/notify?${query}`, body).then((deliveryId) => {
      one.deliveryId = deliveryId;
    });
  }
  await calls.ended();
}

/** POSTs, and can wait until every call has ended. */
class Calls {
  readonly #url: string;
  readonly #agent: Agent;
  readonly #open = new Set<Promise<unknown>>();

  constructor(url: string, agent: Agent) {
    this.#url = url;
    this.#agent = agent;
  }

  /** Resolves with the header `Delivery-Id`. */
  post(path: string, body: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const outgoing = request(`${this.#url}${path}`, { method: 'POST', agent: this.#agent });
    outgoing.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.headers['delivery-id']?.toString()));
    });
    outgoing.on('error', () => resolve(undefined));
    outgoing.end(body);
    this.#open.add(promise);
    void promise.then(() => this.#open.delete(promise));
    return promise;
  }

  async ended(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }
}

async function start(sandbox: Sandbox, folder: string): Promise<Service> {
  const app = { receipts: true, lifetimes: { payment_received: `${LIFETIME_SECONDS}s` } };
  const clock = createSystemClock();
  const environment = {
    ...standInEnvironment(sandbox, folder),
    NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
    NOTIFY_EXTERNAL_URL: EXTERNAL_URL,
    NDS_SECRET: 'a secret for the benchmark only',
    NDS_APPS: JSON.stringify({ default: app }),
    NDS_GLOBAL_RATE: '9000000/1000000',
    NDS_ADDRESS_RATE: '1000000/1000000',
  };
  const prepared = await prepare(environment, clock);
  const service = await startService(prepared, createLog('silent', clock), {
    clock,
    proves: false,
  });
  await service.reach;
  return service;
}
