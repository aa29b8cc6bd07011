// Our own wire formats, compared byte for byte with what the libraries for Apple and Google send through their public
// `send()`: for every push of the fixtures, and for random messages.

import { readdirSync, readFileSync } from 'node:fs';
import { Agent, createServer as createHttpsServer } from 'node:https';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { Notification, Provider } from '@parse/node-apn';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getMessaging, type TokenMessage } from 'firebase-admin/messaging';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { sharedIdentity } from '../../sandbox/identity.ts';
import type { PushMessage } from '../../src/core/ports/provider.ts';
import { DEFAULT_FORMAT } from '../../src/core/push-format.ts';
import { buildApnsPayload } from '../../src/providers/apns/payload.ts';
import { buildFcmPayload } from '../../src/providers/fcm/payload.ts';
import fc, { anyText } from '../support/properties.ts';
import { listen, openHttp2, tls } from './http2/peers.ts';

const identity = await sharedIdentity();
const TOPIC = 'com.example.wallet';
const ID = '018f3c2a-9d3e-7b1a-8c4d-5e6f7a8b9c0d';

const fixtureShape = z.object({
  expect: z.object({
    push: z.literal(true),
    platform: z.enum(['ios', 'android']),
    token: z.string(),
    app_data: z.string().nullish(),
    notification_type: z.string(),
    notification_payload: z.string(),
    title: z.string(),
  }),
});

const FIXTURES = resolve(import.meta.dirname, '../fixtures');

function pushesOfFixtures(): readonly PushMessage[] {
  return readdirSync(FIXTURES).flatMap((name) => {
    const json: unknown = JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));
    const parsed = fixtureShape.safeParse(json);
    if (!parsed.success) return [];
    const { expect: push } = parsed.data;
    const message = {
      id: ID,
      platform: push.platform,
      token: push.token,
      type: push.notification_type,
      payload: push.notification_payload,
      title: push.title,
      expiresAtUnixSeconds: 1_754_049_660,
      remainingMs: 41_500,
    };
    return typeof push.app_data === 'string' ? [{ ...message, appData: push.app_data }] : [message];
  });
}

const randomPush: fc.Arbitrary<PushMessage> = fc.record(
  {
    id: fc.uuid(),
    platform: fc.constantFrom('ios', 'android'),
    token: fc.string({ minLength: 1, unit: 'grapheme-ascii' }),
    appData: anyText(),
    type: fc.string(),
    payload: fc.oneof(anyText(), fc.json()),
    title: fc.string({ unit: 'grapheme', minLength: 1 }),
    expiresAtUnixSeconds: fc.integer({ min: 1, max: 2 ** 32 }),
    remainingMs: fc.oneof(
      fc.integer({ min: 0, max: 2_419_200_000 }),
      fc.double({ min: 0, max: 100_000, noNaN: true }),
    ),
  },
  {
    requiredKeys: [
      'id',
      'platform',
      'token',
      'type',
      'payload',
      'title',
      'expiresAtUnixSeconds',
      'remainingMs',
    ],
  },
);

/** Sends with firebase-admin's public API to a local server; resolves with the body that arrived. */
async function openFirebaseAdmin() {
  const bodies: string[] = [];
  const server = createHttpsServer(tls, async (request, response) => {
    bodies.push(await text(request));
    response.setHeader('content-type', 'application/json');
    response.end('{"name":"projects/p/messages/1"}');
  });
  const port = Number(new URL(await listen(server)).port);
  class LocalAgent extends Agent {
    override createConnection() {
      return connect({ port, host: '127.0.0.1', ca: identity.ca, servername: 'localhost' });
    }
  }
  const agent = new LocalAgent({ keepAlive: true });
  const app = initializeApp(
    {
      projectId: 'p',
      httpAgent: agent,
      credential: { getAccessToken: async () => ({ access_token: 'a', expires_in: 3_600 }) },
    },
    `wire-format-${port}`,
  );
  onTestFinished(async () => {
    agent.destroy();
    await deleteApp(app);
  });
  return async (message: TokenMessage) => {
    await getMessaging(app).send(message);
    return bodies.pop();
  };
}

/** The same push as firebase-admin's callers write it. */
function forFirebaseAdmin(push: PushMessage): TokenMessage {
  const data = {
    notification_type: push.type,
    notification_payload: push.payload,
    ...(push.appData === undefined ? {} : { app_data: push.appData }),
  };
  if (push.platform === 'android') {
    const ttl = Math.floor(push.remainingMs);
    return { token: push.token, data, android: { priority: 'high', ttl } };
  }
  return {
    token: push.token,
    data,
    apns: {
      headers: {
        'apns-priority': '10',
        'apns-push-type': 'alert',
        'apns-expiration': String(push.expiresAtUnixSeconds),
        'apns-collapse-id': push.id,
      },
      payload: { aps: { alert: { title: push.title }, mutableContent: true } },
    },
  };
}

it('writes for FCM what firebase-admin writes, for every push of the fixtures', async () => {
  const sendByLibrary = await openFirebaseAdmin();
  const pushes = pushesOfFixtures();
  expect(pushes.length).toBeGreaterThan(80);
  for (const push of pushes) {
    expect(buildFcmPayload(push).body).toBe(await sendByLibrary(forFirebaseAdmin(push)));
  }
});

it('writes for FCM what firebase-admin writes, whatever the message', async () => {
  const sendByLibrary = await openFirebaseAdmin();
  await fc.assert(
    fc.asyncProperty(randomPush, async (push) => {
      expect(buildFcmPayload(push).body).toBe(await sendByLibrary(forFirebaseAdmin(push)));
    }),
  );
});

it('spells a normal priority and a loc-key for FCM as firebase-admin does', async () => {
  const sendByLibrary = await openFirebaseAdmin();
  const format = { ...DEFAULT_FORMAT, priorities: {} };
  const [first] = pushesOfFixtures();
  if (first === undefined) throw new Error('there are no fixtures');
  const android = { ...first, platform: 'android', type: 'payment_failed' } as const;
  const plain = forFirebaseAdmin(android);
  expect(buildFcmPayload(android, format).body).toBe(
    await sendByLibrary({
      ...plain,
      android: { ...plain.android, priority: 'normal' },
    }),
  );
  const ios = { ...first, platform: 'ios', titleLocKey: 'PAYMENT' } as const;
  const plainIos = forFirebaseAdmin(ios);
  expect(buildFcmPayload(ios).body).toBe(
    await sendByLibrary({
      ...plainIos,
      apns: {
        ...plainIos.apns,
        payload: { aps: { alert: { titleLocKey: 'PAYMENT' }, mutableContent: true } },
      },
    }),
  );
});

/** Sends with node-apn's public API to a local server; resolves with the headers and the body that arrived. */
async function openNodeApn() {
  const requests: { readonly headers: object; readonly body: string }[] = [];
  const origin = await openHttp2(async (stream, _path, headers) => {
    const apns = Object.entries(headers).filter(([name]) => name.startsWith('apns-'));
    requests.push({ headers: Object.fromEntries(apns), body: await text(stream) });
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const provider = new Provider({
    token: { key: identity.apnsKey, keyId: identity.apnsKeyId, teamId: identity.teamId },
    address: '127.0.0.1',
    port: Number(new URL(origin).port),
    ca: [identity.ca],
    production: false,
    connectionRetryLimit: 0,
  });
  onTestFinished(() => provider.shutdown());
  return async (push: PushMessage) => {
    const notification = new Notification();
    notification.topic = TOPIC;
    notification.pushType = 'alert';
    notification.priority = 10;
    notification.expiry = push.expiresAtUnixSeconds;
    notification.id = push.id;
    notification.collapseId = push.id;
    notification.aps = { alert: { title: push.title }, 'mutable-content': 1 };
    notification.payload = {
      notification_type: push.type,
      notification_payload: push.payload,
      ...(push.appData === undefined ? {} : { app_data: push.appData }),
    };
    const { failed } = await provider.send(notification, 'aa');
    expect(failed).toEqual([]);
    return requests.pop();
  };
}

function ours(push: PushMessage) {
  const { headers, body } = buildApnsPayload(push, TOPIC);
  return { headers, body };
}

it('writes for APNs what node-apn writes, for every push of the fixtures', async () => {
  const sendByLibrary = await openNodeApn();
  for (const push of pushesOfFixtures()) {
    expect(ours(push)).toEqual(await sendByLibrary(push));
  }
});

it('writes for APNs what node-apn writes, whatever the message', async () => {
  const sendByLibrary = await openNodeApn();
  await fc.assert(
    fc.asyncProperty(randomPush, async (push) => {
      expect(ours(push)).toEqual(await sendByLibrary(push));
    }),
  );
});

/** Everything that is sent, except the receipt's key, which is returned separately. */
function withoutReceipt(push: PushMessage): { readonly rest: unknown; readonly receipt: unknown } {
  if (push.platform === 'ios') {
    const { nds, ...rest } = JSON.parse(buildApnsPayload(push, TOPIC).body);
    return { rest, receipt: nds };
  }
  const { message } = JSON.parse(buildFcmPayload(push).body);
  const { nds, ...data } = message.data;
  return { rest: { message: { ...message, data } }, receipt: JSON.parse(nds) };
}

it('adds one key for the receipt to every push of the fixtures, and nothing where it does not fit', () => {
  const receipt = { r: `https://nds.example.com/r/${'x'.repeat(43)}`, by: 1_754_049_660 };
  for (const push of pushesOfFixtures()) {
    const asked = { ...push, receipt };
    const isIos = push.platform === 'ios';
    const plain = isIos ? buildApnsPayload(push, TOPIC) : buildFcmPayload(push);
    expect(withoutReceipt(asked)).toEqual({ rest: JSON.parse(plain.body), receipt });
    // FCM sends the same object to an iPhone.
    const byFcm = JSON.parse(buildFcmPayload({ ...asked, platform: 'ios' }).body);
    expect(byFcm.message.apns.payload.nds).toEqual(receipt);

    // Long enough to fill the push to its last byte.
    const filler = (size: number) => ({ ...push, payload: `"${'x'.repeat(size)}"` });
    const build = (message: PushMessage) =>
      isIos ? buildApnsPayload(message, TOPIC) : buildFcmPayload(message);
    const spare = 10_000 - build(filler(10_000)).excessBytes;
    const full = filler(spare);
    expect(build(full).excessBytes).toBe(0);
    expect(build({ ...full, receipt })).toEqual({ ...build(full), lacksReceipt: true });
    const exact = [...Array(300).keys()].find(
      (less) => !build({ ...filler(spare - less), receipt }).lacksReceipt,
    );
    const fitting = build({ ...filler(spare - (exact ?? 0)), receipt });
    expect(fitting.excessBytes).toBe(0);
    expect(fitting.body).toContain(receipt.r);
  }
});
