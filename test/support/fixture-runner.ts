// Runs the fixtures of the webhook formats over real HTTP: sends the request as its caller writes it, and checks the
// push where the phone would get it.

import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { ReceivedPush } from '../../sandbox/records.ts';
import { type Expectation, type Fixture, type FixtureCall, parseFixture } from './fixtures.ts';
import { ManualClock } from './manual-clock.ts';
import { EXTERNAL_URL, type OnEnd, type Setup, setup } from './service.ts';

interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly deliveryId: string | undefined;
  readonly body: string;
}

/** Replaces a fixture's own words, such as a handle, by those of a running service. */
export type Adapt = (path: string) => string;

export interface FixtureHost {
  readonly running: Setup;
  readonly clock: ManualClock;
}

/**
 * Makes tests from the fixtures of a file. The tests share one service, in which each has push tokens of its own.
 * Fixtures in which time passes have a service and a clock of their own.
 */
export function testFixtures(
  fixtures: readonly Fixture[],
  {
    environment,
    nameOf,
    run,
  }: {
    readonly environment: Readonly<Record<string, string>>;
    readonly nameOf: (fixture: Fixture) => string;
    readonly run: (fixture: Fixture, host: FixtureHost, index: number) => Promise<void>;
  },
): void {
  let shared: FixtureHost | undefined;
  beforeAll(async () => {
    shared = await start((end) => afterAll(end));
  });
  const start = async (onEnd?: OnEnd): Promise<FixtureHost> => {
    const clock = new ManualClock();
    const running = await setup({ clock, environment, onEnd });
    await running.service.reach;
    return { running, clock };
  };
  for (const [index, fixture] of fixtures.entries()) {
    test(nameOf(fixture), async () => {
      const host = shared === undefined || takesTime(fixture) ? await start() : shared;
      expect(host.clock.wallMs()).toBe(fixture.now_unix_ms);
      await run(withOwnTokens(fixture, index), host, index);
    });
  }
}

function takesTime({ then, caller_response, device_reply }: Fixture): boolean {
  return then.length > 0 || (caller_response !== undefined && !device_reply);
}

const FIXTURE_ANDROID_TOKEN = 'dQw4w9WgXcQ-Ex_1:APA91bExampleTokenForFixtures';
const FIXTURE_IOS_TOKEN = '9f2c0a7be61d4c58a3f0b1d2e3c4f5061728394a5b6c7d8e9fa0b1c2d3e4f506';

/** Replaces only tokens. The bodies, which are signed, contain none. */
function withOwnTokens(fixture: Fixture, index: number): Fixture {
  const number = index.toString(16).padStart(4, '0');
  const text = JSON.stringify(fixture)
    .replaceAll(FIXTURE_ANDROID_TOKEN, `${FIXTURE_ANDROID_TOKEN}-${number}`)
    .replaceAll(FIXTURE_IOS_TOKEN, FIXTURE_IOS_TOKEN.slice(0, -4) + number);
  return parseFixture(text);
}

/** The requests of the fixture in order, each with its answer and the pushes it caused. */
export async function runFixture(
  fixture: Fixture,
  { running, clock, adapt = (path) => path }: FixtureHost & { readonly adapt?: Adapt },
): Promise<void> {
  const sha = createHash('sha256').update(fixture.request.body).digest('hex');
  expect(sha).toBe(fixture.body_sha256);
  const adapted: Fixture = {
    ...fixture,
    request: { ...fixture.request, path: adapt(fixture.request.path) },
    // biome-ignore lint/suspicious/noThenProperty: the fixtures' own name for what follows
    then: fixture.then.map((step) => {
      return { ...step, request: { ...step.request, path: adapt(step.request.path) } };
    }),
  };
  if (adapted.caller_response === undefined) await runPlain(adapted, running, clock);
  else await runReplyLeg(adapted, running, clock);
}

async function runPlain(fixture: Fixture, running: Setup, clock: ManualClock): Promise<void> {
  await check(running, fixture.request, fixture.expect);
  let elapsedMs = 0;
  for (const step of fixture.then) {
    clock.advance(step.after_ms - elapsedMs);
    elapsedMs = step.after_ms;
    await check(running, step.request, step.expect);
  }
}

/** One request, its answer, and exactly the pushes that it should have caused. */
async function check(running: Setup, request: FixtureCall, expected: Expectation): Promise<void> {
  const before = running.sandbox.received().length;
  const rowsBefore = await countRows(running);
  const answer = await send(running, request);
  expect(expected.accept_status ?? [expected.status], answer.body).toContain(answer.status);
  if (answer.status === 200)
    expect([answer.deliveryId, answer.body]).toEqual([expect.any(String), '']);
  else expectProblem(answer);
  const pushes = running.sandbox.received().slice(before);
  if (expected.push) expectPush(pushes, expected);
  else expect(pushes).toEqual([]);
  if (answer.status !== 200) expect(await countRows(running)).toBe(rowsBefore);
}

async function countRows({ service }: Setup): Promise<number> {
  // Rows of an earlier call may not be written yet.
  await service.settled();
  return (await service.store.findDeliveries({ limit: 1_000 })).length;
}

function expectPush(pushes: readonly ReceivedPush[], expected: Expectation): void {
  expect(pushes).toHaveLength(1);
  const [push] = pushes;
  expect(push?.token).toBe(expected.token);
  expect(push?.platform).toBe(expected.platform);
  expect(push?.title).toBe(expected.platform === 'ios' ? expected.title : undefined);
  expect(push?.expired).not.toBe(true);
  const { notification_type, notification_payload, app_data, ...others } = push?.data ?? {};
  expect(others).toEqual({});
  expect(notification_type).toBe(expected.notification_type);
  expect([expected.notification_payload, expected.notification_payload_plain]).toContain(
    notification_payload,
  );
  expect(app_data).toBe(expected.app_data ?? undefined);
  if (push?.provider === 'apns') {
    expect(push.apns).toMatchObject({ pushType: 'alert', priority: 10 });
    expect(push.apns?.payload).toMatchObject({ aps: { 'mutable-content': 1 } });
  } else {
    expect(push?.fcm?.androidPriority).toBe('high');
    expect(push?.fcm?.message).not.toHaveProperty('notification');
  }
}

/** The caller waits, the phone gets the push and answers or does not, and the caller gets the phone's bytes. */
async function runReplyLeg(fixture: Fixture, running: Setup, clock: ManualClock): Promise<void> {
  const waiting = send(running, fixture.request);
  const { token } = fixture.expect;
  const [push] = await running.sandbox.waitFor((received) => received.token === token, 1);
  const payload = z
    .object({ reply_url: z.string() })
    .loose()
    .parse(JSON.parse(push?.data.notification_payload ?? ''));
  const replyUrl = payload.reply_url;
  expect(replyUrl.startsWith(`${EXTERNAL_URL}/api/v1/response/`)).toBe(true);
  const id = replyUrl.slice(`${EXTERNAL_URL}/api/v1/response/`.length);
  const fill = (text: string) =>
    text.replaceAll('{{REPLY_URL}}', replyUrl).replaceAll('{{RESPONSE_ID}}', id);
  expectPush(push === undefined ? [] : [push], {
    ...fixture.expect,
    notification_payload: fill(fixture.expect.notification_payload ?? ''),
    notification_payload_plain: fill(fixture.expect.notification_payload_plain ?? ''),
  });

  const reply = fixture.device_reply;
  if (reply === undefined || reply === null) {
    // No phone answers, so the caller's time runs out.
    clock.advance(60_000);
  } else {
    const answer = await send(running, { ...reply, path: fill(reply.path) });
    expect([answer.status, answer.body]).toEqual([reply.expect.status, reply.expect.body]);
  }
  const answer = await waiting;
  expect(answer.status).toBe(fixture.caller_response?.status);
  if (answer.status === 200) {
    expect(answer.body).toBe(fixture.caller_response?.body);
    expect(answer.contentType).toBe(fixture.caller_response?.content_type);
  } else expectProblem(answer);
  if (fixture.second_reply !== undefined && reply) {
    const second = await send(running, { ...reply, path: fill(reply.path) });
    const { status, accept_status } = fixture.second_reply.expect;
    expect([status, ...accept_status]).toContain(second.status);
    expectProblem(second);
  }
}

function expectProblem(answer: Answer): void {
  expect(answer.contentType).toBe('application/problem+json');
  const problem: unknown = JSON.parse(answer.body);
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:nds:error:[a-z_]+$/),
    title: expect.any(String),
    status: answer.status,
    code: expect.stringMatching(/^[a-z_]+$/),
    detail: expect.any(String),
    instance: expect.stringMatching(/^urn:uuid:/),
  });
}

/** Sends exactly these bytes of the path: `fetch` would normalise them. */
function send(running: Setup, { method, path, headers, body }: FixtureCall): Promise<Answer> {
  const { hostname, port } = new URL(running.service.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'],
            deliveryId: response.headers['delivery-id']?.toString(),
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
