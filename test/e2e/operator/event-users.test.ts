// A vendor's backend that has only its users' push tokens finds the user of each event, by the rule of docs/events.md,
// in a database of its own.

import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { startReceiver } from '../../support/event-receiver.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { IOS_TOKEN, setup } from '../../support/service.ts';

/** A token of FCM on iOS is not hex, so its case matters. */
const USERS = [
  ['anna', 'ios', IOS_TOKEN.toUpperCase()],
  ['ben', 'ios', 'CafE0123:APA91bOnIos'],
  ['carl', 'android', 'dQw4w9WgXcQ:APA91bCarl'],
  ['dora', 'android', 'dQw4w9WgXcQ:APA91bDora'],
] as const;

/** The vendor's table, with the column of docs/events.md; SQLite gets the missing hash function. */
function openBackend(): Database.Database {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  db.function('sha256', { deterministic: true }, (text) =>
    createHash('sha256').update(String(text)).digest('hex'),
  );
  db.exec(`
    CREATE TABLE devices (user TEXT, platform TEXT, token TEXT, active INTEGER DEFAULT 1,
      token_sha256 TEXT GENERATED ALWAYS AS (sha256(CASE WHEN platform = 'ios'
        AND token NOT GLOB '*[^0-9A-Fa-f]*' THEN lower(token) ELSE token END)) STORED);
    CREATE INDEX devices_by_digest ON devices (token_sha256)`);
  const insert = db.prepare('INSERT INTO devices (user, platform, token) VALUES (?, ?, ?)');
  for (const user of USERS) insert.run(...user);
  return db;
}

test('a backend finds its users with only their tokens', async () => {
  const receiver = await startReceiver();
  const running = await setup({
    environment: { ...OPERATOR_ENVIRONMENT, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' },
  });
  const body = { url: receiver.url, enabled_events: ['delivery.unregistered'] };
  told(await operate(running, { method: 'POST', path: '/endpoints', body }));
  const backend = openBackend();
  const retire = backend.prepare<[unknown], { user: string }>(
    'UPDATE devices SET active = 0 WHERE token_sha256 = ? RETURNING user',
  );

  for (const [index, [, platform, token]] of USERS.slice(0, 3).entries()) {
    const fault =
      index === 0
        ? ({ kind: 'reason', reason: 'Unregistered' } as const)
        : ({ kind: 'fcm_error', error: 'UNREGISTERED' } as const);
    // The service has the token as the phone's system writes it.
    const normal = index === 0 ? token.toLowerCase() : token;
    running.sandbox.script({ token: normal, times: Infinity, fault });
    const query = new URLSearchParams({ platform, token });
    const payment = { template: 'payment_received', data: { payment_hash: `${index}` } };
    await running.post(`/api/v1/notify?${query}`, JSON.stringify(payment));
  }
  const events = await receiver.wait(3);

  const found = events.map(({ event }) => retire.all(event.data.token_sha256));
  expect(found).toEqual([[{ user: 'anna' }], [{ user: 'ben' }], [{ user: 'carl' }]]);
  const active = backend.prepare('SELECT user FROM devices WHERE active = 1').pluck().all();
  expect(active).toEqual(['dora']);
});
