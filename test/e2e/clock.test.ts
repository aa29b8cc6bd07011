// Wall clocks jump: because of NTP, administrators, or an empty battery. A running service is not affected, and a
// restart afterwards loses nothing.

import { expect, test } from 'vitest';
import { findAnswer } from '../../src/http/operator/answers.ts';
import { listDeliveriesAnswer } from '../../src/http/operator/deliveries.ts';
import { listQuarantineAnswer } from '../../src/http/operator/tokens.ts';
import { readDevice, registerPhone, wake } from '../support/device-calls.ts';
import { DAY, HOUR, MINUTE, SECOND, setupDriven } from '../support/driven-service.ts';
import { findIn } from '../support/finding.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../support/operator-calls.ts';
import { ANDROID_TOKEN, IOS_TOKEN, setup as setupService } from '../support/service.ts';

const DEAD = { kind: 'reason', reason: 'Unregistered' } as const;
const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;

for (const jumpMs of [5 * HOUR, -5 * HOUR]) {
  const way = jumpMs > 0 ? 'forward' : 'back';

  test(`a jump ${way} does not affect windows, quarantines and retries`, async () => {
    const { pay, running, clock, elapse } = await setupDriven();
    const { sandbox } = running;
    const first = await pay(ANDROID_TOKEN, 'aa');
    sandbox.script({ provider: 'apns', fault: DEAD });
    expect((await pay(IOS_TOKEN, 'aa')).status).toBe(410);
    sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
    const queued = await pay(ANDROID_TOKEN, 'bb');
    clock.jump(jumpMs);
    expect((await pay(ANDROID_TOKEN, 'aa')).body).toEqual({
      id: first.body.id,
      status: 'duplicate',
    });
    expect((await pay(IOS_TOKEN, 'bb')).status).toBe(410);
    await elapse(1_300, 100);
    const [, push] = await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 2);
    expect(push?.expired).toBe(false);
    expect(queued.body.status).toBe('queued');
    clock.advance(25 * SECOND);
    expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('delivered');
  });

  test(`a push carries an expiry that fits the wall clock after a jump ${way}`, async () => {
    const { pay, running, clock } = await setupDriven();
    clock.jump(jumpMs);
    await pay(IOS_TOKEN, 'aa');
    const [push] = running.sandbox.received();
    const wallSeconds = Math.floor(clock.wallMs() / SECOND);
    expect(push?.apns?.expiration).toBe(wallSeconds + 60);
  });
}

for (const jumpMs of [HOUR, -HOUR]) {
  const way = jumpMs > 0 ? 'forward' : 'back';

  test(`rows and answers have the times of the wall clock after a jump ${way}`, async () => {
    const { running, clock } = await setupDriven({ environment: OPERATOR_ENVIRONMENT });
    const read = async (path: string) => told(await operate(running, { path }));
    clock.jump(jumpMs);
    const android = await registerPhone(running);
    const ios = await registerPhone(running, { platform: 'ios', token: IOS_TOKEN });
    // Only once a day is it recorded that a device was seen.
    clock.advance(DAY);
    const now = new Date(clock.wallMs()).toISOString();
    const until = new Date(clock.wallMs() + DAY).toISOString();
    running.sandbox.script({ provider: 'apns', fault: DEAD });
    expect((await wake(running, android, 'aa')).status).toBe(200);
    expect((await wake(running, ios, 'bb')).status).toBe(410);
    // A caller is answered before the end is written.
    await running.service.settled();
    clock.advance(MINUTE);
    expect((await wake(running, ios, 'cc')).status).toBe(410);
    await running.service.settled();

    const { deliveries } = listDeliveriesAnswer.parse(await read('/deliveries'));
    expect(deliveries).toMatchObject([
      { status: 'unregistered', received_at: now, settled_at: now },
      { status: 'delivered', received_at: now, settled_at: now },
    ]);
    expect(await readDevice(running, android.id)).toMatchObject({ seen_at: now });
    expect(await readDevice(running, ios.id)).toMatchObject({ dead_since: now });
    const { quarantine } = listQuarantineAnswer.parse(await read('/quarantine'));
    expect(quarantine).toMatchObject([{ kind: 'unregistered', since: now, until }]);
    const found = findAnswer.parse(await read(`/find?q=${IOS_TOKEN}`));
    expect(found.quarantine).toEqual(quarantine);
    const moment = now.slice(0, 19).replace('T', ' ');
    expect(found.verdict.sentence).toContain(`the provider said at ${moment}`);
    expect(found.timeline).toMatchObject([
      ...['received', 'try 1', 'answered', 'quarantine'].map((what) => ({ what, at: now })),
      { what: 'refused', at: new Date(clock.wallMs()).toISOString() },
    ]);
    // `nds find` reads only the row.
    const { evidence } = await findIn(running, IOS_TOKEN, clock.wallMs());
    const times = { sinceMs: Date.parse(now), untilMs: Date.parse(until) };
    expect(evidence.quarantined).toMatchObject([times]);
  });

  test(`a hold has the times of the wall clock after a jump ${way}, and is shown as lasting`, async () => {
    const { running, clock, pay } = await setupDriven({ environment: OPERATOR_ENVIRONMENT });
    clock.jump(jumpMs);
    const fault = { kind: 'reason', reason: 'TooManyRequests', retryAfterSeconds: 20 } as const;
    running.sandbox.script({ provider: 'apns', fault });
    expect((await pay(IOS_TOKEN, 'aa')).body.status).toBe('queued');
    await running.service.settled();
    const since = new Date(clock.wallMs()).toISOString();
    const until = new Date(clock.wallMs() + 20 * SECOND).toISOString();
    const found = await operate(running, { path: `/find?q=${IOS_TOKEN}` });
    expect(findAnswer.parse(told(found))).toMatchObject({
      verdict: { code: 'queued_throttled' },
      quarantine: [{ kind: 'throttled', since, until }],
    });
    clock.advance(20 * SECOND);
    const left = listQuarantineAnswer.parse(told(await operate(running, { path: '/quarantine' })));
    expect(left.quarantine).toEqual([]);
  });
}

/** A queued payment, a stop, a jump, and a start whose service time begins at the new wall clock. */
async function restartAfterJump(jumpMs: number) {
  const { running, pay, clock } = await setupDriven();
  const { sandbox } = running;
  sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
  const queued = await pay(ANDROID_TOKEN, 'aa');
  expect(queued.body.status).toBe('queued');
  await running.service.stop();
  const later = new ManualClock(clock.wallMs() + jumpMs);
  const next = await setupService({
    clock: later,
    environment: { ...running.environment },
    sandbox: { now: () => later.wallMs() },
  });
  return { sandbox, next, id: queued.body.id, clock: later };
}

async function settledRow(next: Awaited<ReturnType<typeof setupService>>) {
  for (;;) {
    const [row] = await next.service.store.findDeliveries({ limit: 1 });
    if (row !== undefined && row.status !== 'queued') return row;
  }
}

test('a restart after the clock was set back sends an open delivery exactly once more', async () => {
  const { sandbox, next, id, clock } = await restartAfterJump(-5 * HOUR);
  const receivedAtMs = clock.nowMs();
  // Its next try is as far away as it was: a second, more or less a fifth.
  for (let step = 0; step < 13; step += 1) {
    clock.advance(100);
    await next.service.store.probe();
  }
  await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
  const row = await settledRow(next);
  expect(row).toMatchObject({ id, status: 'delivered', receivedAtMs });
  clock.advance(2 * MINUTE);
  await next.service.store.findDeliveries({ limit: 1 });
  expect(sandbox.received()).toHaveLength(1);
});

test('a restart after the clock was set forward records what became too old as expired', async () => {
  const { sandbox, next, id, clock } = await restartAfterJump(5 * HOUR);
  clock.advance(0);
  expect(await settledRow(next)).toMatchObject({ id, status: 'expired' });
  expect(sandbox.received()).toEqual([]);
});

test('a restart after a small jump forward still sends what is left of the lifetime', async () => {
  const { sandbox, next, id, clock } = await restartAfterJump(30 * SECOND);
  clock.advance(0);
  const [push] = await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
  expect(push?.fcm?.ttl).toBe('30s');
  expect(await settledRow(next)).toMatchObject({ id, status: 'delivered' });
});
