// The checks whose circumstances a test cannot create: disks that fill up, clocks that are wrong.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { daysLeft, describeRoom, verdictOf } from '../../src/doctor/check-disk.ts';
import { checkClock } from '../../src/doctor/check-network.ts';
import { endsDeploy } from '../../src/service/findings.ts';
import { findingOf } from '../../src/service/proof-findings.ts';
import type { KeyProof } from '../../src/service/proofs.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryFolder } from '../support/service.ts';

const DAY_MS = 86_400_000;
const GIB = 1_024 ** 3;

test.each([
  ['disk_ok', 50 * GIB, 0.05, 900],
  ['disk_ok', 0.5 * GIB, 0.5, undefined],
  ['disk_low', 0.5 * GIB, 0.09, undefined],
  ['disk_low', 50 * GIB, 0.5, 13],
  ['disk_full', 1_000, 0.5, 900],
] as const)('%s with %d bytes free', (code, freeBytes, share, days) => {
  expect(verdictOf({ freeBytes, share, days })).toBe(code);
});

test('a full disk has no forecast', () => {
  const room = { freeBytes: 1_000_000, share: 0.5, days: Number.POSITIVE_INFINITY };
  expect(describeRoom(room, '/data')).toBe('0 MiB free at /data');
  expect(describeRoom({ ...room, freeBytes: GIB }, '/data')).toBe(
    '1.0 GiB free at /data, enough for NDS_RETENTION at the present rate',
  );
  expect(describeRoom({ ...room, freeBytes: GIB, days: 1.5 }, '/data')).toContain(
    'full in 1 day at',
  );
});

test('the predicted days end with the retention', () => {
  const options = { database: `${temporaryFolder()}/nds.sqlite`, deliveriesPerDay: 2_000_000 };
  // 1.156 GB a day.
  expect(daysLeft({ ...options, retentionMs: 30 * DAY_MS }, 5.78e9)).toBe(5);
  expect(daysLeft({ ...options, retentionMs: 4 * DAY_MS }, 5.78e9)).toBe(Number.POSITIVE_INFINITY);
  expect(
    daysLeft({ ...options, deliveriesPerDay: undefined, retentionMs: DAY_MS }, 5.78e9),
  ).toBeUndefined();
});

test('says by how much the clock differs from the date header, and in which direction', async () => {
  const clock = new ManualClock();
  const answers = [clock.wallMs() - 90_000, clock.wallMs() + 90_000, clock.wallMs() + 4_000];
  const server = createServer((_request, response) => {
    response.writeHead(404, { date: new Date(answers.shift() ?? 0).toUTCString() }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port }: AddressInfo = Object(server.address());
  const check = () => checkClock(`http://127.0.0.1:${port}`, { clock });
  expect((await check()).finding).toMatchObject({
    code: 'clock_off',
    text: 'this machine is 90 s ahead of Google’s date header',
  });
  expect((await check()).finding.text).toContain('90 s behind');
  expect((await check()).finding.code).toBe('clock_ok');
});

test('a signature is not called a wrong key if a wrong clock explains its refusal', () => {
  const lane = apnsLane();
  const proof: KeyProof = { verdict: 'refused', reason: 'InvalidProviderToken' };
  expect(findingOf(lane, proof, { skewMs: 29_000 }).code).toBe('apns_refused');
  expect(findingOf(lane, proof, { skewMs: -31_000 }).code).toBe('apns_clock');
  const topic: KeyProof = { verdict: 'refused', reason: 'TopicDisallowed' };
  expect(findingOf(lane, topic, { skewMs: -31_000 }).code).toBe('apns_refused');
  // The token was signed a moment ago.
  const expired: KeyProof = { verdict: 'refused', reason: 'ExpiredProviderToken' };
  expect(findingOf(lane, expired).code).toBe('apns_clock');
});

test('an answer that says nothing about the credentials, or no answer, proves nothing', () => {
  const lane = apnsLane();
  const finding = (proof: KeyProof) => findingOf(lane, proof).code;
  expect(finding({ verdict: 'unclear', reason: 'TooManyProviderTokenUpdates' })).toBe(
    'apns_unclear',
  );
  expect(finding({ verdict: 'not_asked', reason: 'asked_lately', ageMs: 1 })).toBe(
    'apns_not_asked',
  );
});

test('a machine without Google’s credentials may have them a moment later, so no deploy ends because of that', () => {
  const lane = {
    check: 'default/fcm',
    configured: { provider: 'fcm', projectId: 'my-wallet', endpoint: 'https://fcm.example' },
  } as const;
  const proof: KeyProof = { verdict: 'refused', reason: 'oauth_no_credentials' };
  const finding = findingOf(lane, proof);
  expect(finding).toMatchObject({ code: 'fcm_no_credentials' });
  expect(endsDeploy(finding)).toBe(false);
  expect(endsDeploy(findingOf(lane, { ...proof, reason: 'PERMISSION_DENIED' }))).toBe(true);
});

function apnsLane() {
  const configured = {
    provider: 'apns',
    keyId: 'ABC123DEFG',
    teamId: 'DEF123GHIJ',
    topic: 'com.example.wallet',
    environment: 'production',
    endpoint: 'https://api.push.apple.com',
  } as const;
  return { check: 'default/apns', configured };
}
