// The real program with receipts and second knocks: four instances at once, each killed with -9 at five seeded moments.
// Every receipt that was in the log before a kill is still there after it, and no delivery is knocked twice.
// NDS_CHAOS_SEED replays a run's decisions.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { Phone, receiptOf } from '../../sandbox/phones/phone.ts';
import { type ReceivedPush, type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { type Chance, createChance, seedFrom } from '../support/chance.ts';
import { notifyPath, sandboxEnvironment, temporaryFolder } from '../support/service.ts';
import { faultsOf } from './database.ts';
import { beginLife } from './life.ts';

const TOWNS = 4;
/** Kills of each program. */
const KILLS = 5;
const PHONES = 40;
/** In each life the first push to every fifth phone is lost; in the next life it is other phones. */
const LOST_EVERY = 5;

const keptSchema = z.array(z.object({ id: z.string(), number: z.number(), stage: z.string() }));

/** The receipts in the log, as a reader finds them beside a dead process. */
function readReceipts(file: string): ReadonlySet<string> {
  const db = new Database(file, { readonly: true });
  const sql = 'SELECT id, number, stage FROM receipts JOIN deliveries USING (row_id)';
  const rows = keptSchema.parse(db.prepare(sql).all());
  db.close();
  return new Set(rows.map((row) => `${row.id} ${row.number} ${row.stage}`));
}

type Happening = 'push' | 'receipt' | 'knock';

class Town {
  readonly #chance: Chance;
  readonly #phones = new Map<string, Phone>();
  readonly #listeners = new Set<(what: Happening) => void>();
  readonly tokens: readonly string[];
  url: string | undefined;
  life = 0;
  receipts = 0;

  constructor(sandbox: Sandbox, chance: Chance) {
    this.#chance = chance;
    this.tokens = Array.from({ length: PHONES }, (_, index) => `phone-${index}:APA91b`);
    for (const token of this.tokens) this.#phones.set(token, this.#createPhone());
    sandbox.onPush((push) => this.#arrive(push));
  }

  /** Resolves when this has happened this often. */
  happens(what: Happening, times: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = times;
    const listener = (heard: Happening) => {
      if (heard === what) left -= 1;
      if (left === 0) resolve();
    };
    this.#listeners.add(listener);
    return promise.finally(() => this.#listeners.delete(listener));
  }

  #tell(what: Happening): void {
    for (const listener of this.#listeners) listener(what);
  }

  #arrive(push: ReceivedPush): void {
    const receipt = receiptOf(push);
    if (receipt === undefined) return;
    const isKnock = receipt.n === 2;
    const isLost =
      !isKnock && this.tokens.indexOf(push.token) % LOST_EVERY === this.life % LOST_EVERY;
    const wakeMs = this.#chance.between(10, 300);
    this.#phones.get(push.token)?.arrive(receipt, isLost ? {} : { wakeMs, workMs: 100 });
    this.#tell(isKnock ? 'knock' : 'push');
  }

  #createPhone(): Phone {
    return new Phone({
      nowMs: () => performance.now(),
      after: (ms, task) => void setTimeout(task, ms),
      post: (address, body) => {
        const { pathname } = new URL(address);
        post(this.url, pathname, JSON.stringify(body)).then(
          () => {
            this.receipts += 1;
            this.#tell('receipt');
          },
          // The service was killed during this call.
          () => {},
        );
      },
    });
  }
}

async function post(url: string | undefined, path: string, body: string): Promise<void> {
  if (url === undefined) return;
  await (await fetch(`${url}${path}`, { method: 'POST', body })).arrayBuffer();
}

interface History {
  readonly sent: number;
  /** The receipts in the log before a kill, and at the end. */
  readonly written: ReadonlySet<string>;
  readonly found: ReadonlySet<string>;
  /** The deliveries for which a phone got a knock, once for each knock. */
  readonly knocked: readonly (string | undefined)[];
  readonly faults: readonly string[];
}

/**
 * The event after which the kill comes, and how often it must happen first. Only phones that sent receipts before get
 * knocks, so most knocks come in the first life. A knock takes seconds, and other lives end before one. The later
 * knocks come when earlier ones could be repeated.
 */
function momentOf(life: number, chance: Chance): [Happening, number] {
  if (life === 0) return ['receipt', chance.between(PHONES, 2 * PHONES)];
  if (life % 2 === 1) return ['knock', 1];
  return [chance.pick(['push', 'receipt']), chance.between(5, PHONES - 10)];
}

/** One service with its phones: runs its lives, and returns what they left. */
async function liveAndDie(chance: Chance): Promise<History> {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  const environment = {
    ...sandboxEnvironment(sandbox, folder),
    NDS_APPS: JSON.stringify({ default: { receipts: true, second_knock: true } }),
  };
  const town = new Town(sandbox, chance);
  const written = new Set<string>();
  let payment = 0;
  for (town.life = 0; town.life < KILLS; town.life += 1) {
    const life = beginLife(environment);
    town.url = await life.listening;
    const killed = town.happens(...momentOf(town.life, chance));
    for (const token of town.tokens) {
      payment += 1;
      const data = { payment_hash: `hash-${payment}` };
      const body = JSON.stringify({ template: 'payment_received', data });
      post(town.url, notifyPath(token), body).catch(() => {});
    }
    await killed;
    life.kill();
    expect(await life.ended, life.stderr).toBeNull();
    for (const row of readReceipts(file)) written.add(row);
  }
  const last = beginLife(environment);
  await last.listening;
  expect(await last.stop(), last.stderr).toBe(0);
  const knocks = sandbox.received().flatMap((push) => receiptOf(push) ?? []);
  return {
    sent: town.receipts,
    written,
    found: readReceipts(file),
    knocked: knocks.filter(({ n }) => n === 2).map(({ r }) => r),
    faults: faultsOf(file),
  };
}

test('keeps receipts and knocks no delivery twice through twenty kills', {
  timeout: 170_000,
}, async () => {
  const seed = seedFrom('NDS_CHAOS_SEED');
  // Most of their time is waiting for knocks, so they run together.
  const towns = Array.from({ length: TOWNS }, (_, town) => liveAndDie(createChance(seed + town)));
  for (const { sent, written, found, knocked, faults } of await Promise.all(towns)) {
    console.log({ seed, sent, written: written.size, knocks: knocked.length });
    expect([...written].filter((row) => !found.has(row))).toEqual([]);
    expect(written.size).toBeGreaterThan(KILLS * 3);
    expect(knocked.length).toBeGreaterThanOrEqual(Math.floor(KILLS / 2));
    expect(new Set(knocked).size).toBe(knocked.length);
    expect(faults).toEqual([]);
  }
});
