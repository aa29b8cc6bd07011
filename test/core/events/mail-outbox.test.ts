// What is mailed to an e-mail endpoint, and when: alerts and digests.

import { expect, test } from 'vitest';
import { useFiles } from '../../stores/sqlite/files.ts';
import { countsIn, DAY, HOUR, kinds, MINUTE, setupMailOutbox } from '../../support/mail-outbox.ts';

const files = useFiles();
const setup = (changes: Parameters<typeof setupMailOutbox>[1] = {}) =>
  setupMailOutbox(files, changes);

test('mails troubles at once, several in one mail, and everything in a digest at midnight', async () => {
  const running = await setup();
  const { clock, look, down, expire } = running;
  await down();
  await down({ provider: 'apns', isMisconfigured: true });
  await expire(2);
  await look();
  expect(kinds(running)).toEqual(['provider.down+provider.misconfigured']);
  await expire(1, 'internal_error');
  clock.advance(12 * HOUR + MINUTE - 1);
  await look();
  expect(running.sent).toHaveLength(1);
  clock.advance(1);
  await look();
  expect(kinds(running).slice(1)).toEqual(['digest']);
  expect(countsIn(running, 1)).toEqual([
    'delivery.expired timeout 2',
    'delivery.expired internal_error 1',
    'provider.down timeout 1',
    'provider.misconfigured timeout 1',
  ]);
  clock.advance(DAY);
  await look();
  expect(running.sent).toHaveLength(2);
});

test('sends a digest each hour to one who asked for that, and only what is new', async () => {
  const running = await setup({ digest: 'hourly', enabledEvents: ['delivery.*'] });
  const { clock, look, expire, down } = running;
  await expire(1);
  await down();
  clock.advance(HOUR + MINUTE);
  await look();
  await look();
  await expire(2);
  clock.advance(HOUR);
  await look();
  expect(kinds(running)).toEqual(['digest', 'digest']);
  expect(countsIn(running, 0)).toEqual(['delivery.expired timeout 1']);
  expect(countsIn(running, 1)).toEqual(['delivery.expired timeout 2']);
});

test('mails the same trouble once an hour, and again at its end only if it lasts', async () => {
  const running = await setup();
  const { clock, look, down, up } = running;
  await up(await down());
  await look();
  clock.advance(20 * MINUTE);
  const second = await down();
  await look();
  clock.advance(20 * MINUTE);
  await up(second);
  await look();
  clock.advance(30 * MINUTE);
  await look();
  expect(kinds(running)).toEqual(['provider.down']);

  await down();
  await look();
  expect(running.sent).toHaveLength(2);
  clock.advance(MINUTE);
  const lasting = await down({ reason: 'http_503' });
  await look();
  clock.advance(HOUR - 2 * MINUTE);
  await look();
  expect(running.sent).toHaveLength(2);
  clock.advance(MINUTE);
  await look();
  expect(running.sent.at(-1)?.mail).toMatchObject({
    troubles: [{ reason: 'http_503', atMs: lasting.beganAtMs }],
  });
  clock.advance(2 * HOUR);
  await look();
  expect(kinds(running).filter((kind) => kind !== 'digest')).toHaveLength(3);
});

test('a restart neither loses nor repeats what was sent', async () => {
  const running = await setup();
  const { clock, look, down, up, expire, restart } = running;
  await up(await down());
  await look();
  await restart();
  await look();
  clock.advance(10 * MINUTE);
  await up(await down());
  await restart();
  await look();
  expect(kinds(running)).toEqual(['provider.down']);
  clock.advance(HOUR);
  await down();
  await expire(3);
  await restart();
  await look();
  expect(kinds(running)).toEqual(['provider.down', 'provider.down']);

  clock.advance(DAY);
  await restart();
  await look();
  await restart();
  await look();
  expect(kinds(running).slice(2)).toEqual(['digest']);
  expect(countsIn(running, -1)).toContain('delivery.expired timeout 3');
});

test('sends one small digest with exact counts when far more happened than is kept', async () => {
  const running = await setup({ enabledEvents: ['delivery.*'] });
  const { clock, look, expire, events } = running;
  await expire(600);
  while ((await events.pruneEvents({ beforeMs: clock.wallMs() + 1, limit: 500 })) > 0);
  await expire(5);
  const next = await events.nextEvents({ endpointId: 'ep_mail', afterRowId: 0, limit: 1_000 });
  expect(next).toMatchObject({ events: { length: 5 }, dropped: undefined });
  clock.advance(DAY);
  await look();
  expect(countsIn(running, 0)).toEqual(['delivery.expired timeout 605']);
  expect(running.sent).toHaveLength(1);
});

test('counts reasons beyond two hundred as others', async () => {
  const running = await setup({ enabledEvents: ['delivery.*'] });
  const { clock, look, expire, sent } = running;
  for (let number = 0; number < 210; number += 1) await expire(1, `reason_${number}`);
  clock.advance(DAY);
  await look();
  const mail = sent[0]?.mail;
  const counts = mail?.kind === 'digest' ? mail.counts : [];
  expect(counts).toHaveLength(201);
  expect(counts[0]).toMatchObject({ reason: 'other', count: 10 });
});
