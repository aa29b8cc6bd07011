// What a later release may do to the tables while this one still runs on them: it adds, and removes nothing. Also the
// checks that this release still works then.

import { expect } from 'vitest';
import { endpointAnswer } from '../../src/http/operator/endpoints.ts';
import { readMigrations } from '../../src/stores/migrations.ts';
import { type Received, type Receiver, startReceiver } from './event-receiver.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from './operator-calls.ts';
import { register } from './registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup } from './service.ts';

export const NEXT_RELEASE_ENVIRONMENT = {
  ...OPERATOR_ENVIRONMENT,
  NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
};

type Kind = 'sqlite' | 'postgres';

/**
 * What the next release's migration would do: a column in each table, a table, and an event that this release does not
 * know.
 */
export function expansionOf(kind: Kind, tables: readonly string[]): readonly string[] {
  const at = kind === 'sqlite' ? 'at_ms' : 'at';
  const now = kind === 'sqlite' ? String(Date.now()) : 'now()';
  return [
    ...tables.map((table) => `ALTER TABLE ${table} ADD COLUMN added_later text`),
    'CREATE TABLE added_later (name text PRIMARY KEY)',
    `INSERT INTO migrations (number, tag, hash) VALUES (${migrationsOf(kind) + 1}, '9999_added_later', 'hash')`,
    `INSERT INTO events (id, ${at}, type, added_later) VALUES ('evt_later', ${now}, 'device.levitated', 'up')`,
  ];
}

/** What the release after that does, when this one must not run any more. */
export function contractionOf(kind: Kind): string {
  return `INSERT INTO schema (min_reader) VALUES (${migrationsOf(kind) + 1})`;
}

export function migrationsOf(kind: Kind): number {
  return readMigrations(kind).length;
}

/** A backend that gets every event. */
export async function tellBackend(running: Setup): Promise<Receiver> {
  const receiver = await startReceiver();
  const body = { url: receiver.url, enabled_events: ['*'] };
  endpointAnswer.parse(told(await operate(running, { method: 'POST', path: '/endpoints', body })));
  return receiver;
}

/** Checks pushes, repeats, devices, quarantine, events and the log; `name` separates two rounds. */
export async function expectWholeService(
  { running, receiver }: { readonly running: Setup; readonly receiver: Receiver },
  name: string,
): Promise<void> {
  const statusOf = async (answer: Promise<Response>) => {
    const { status, headers } = await answer;
    return `${status} ${headers.get('delivery-status') ?? ''}`.trimEnd();
  };
  const { length: before } = receiver.received;
  const known = new Set(receiver.received.map(idOf));
  expect(await statusOf(running.notify(ANDROID_TOKEN, name))).toBe('200 delivered');
  expect(await statusOf(running.notify(ANDROID_TOKEN, name))).toBe('200 duplicate');
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN, user: name });
  expect(Object.keys(device.urls)).toContain('notify');

  const dead = `${name}:APA91bDeleted`;
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ token: dead, fault });
  expect(await statusOf(running.notify(dead, name))).toBe('410');
  // An event that was sent just before a restart may be sent a second time.
  const fresh = new Map<string, string>();
  for (let count = before + 2; fresh.size < 2; count += 1) {
    for (const one of await receiver.wait(count)) {
      if (!known.has(idOf(one))) fresh.set(idOf(one), one.event.type);
    }
  }
  const types = [...fresh.values()].sort();
  expect(types).toEqual(['delivery.unregistered', 'device.quarantined']);
  expect(await statusOf(running.notify(dead, name))).toBe('410');

  await running.service.settled();
  const logged = await running.service.store.findDeliveries({ limit: 2 });
  expect(logged.map(({ status }) => status)).toEqual(['unregistered', 'delivered']);
}

function idOf({ headers }: Received): string {
  return String(headers['webhook-id']);
}
