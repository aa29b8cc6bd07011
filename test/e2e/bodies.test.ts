// What a body must be at the Breez family's door, and how large body and push may be.

import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ReceivedPush } from '../../sandbox/records.ts';
import { type Answer, problemOf, refusalOf, send } from '../support/callers.ts';
import { callRegistry } from '../support/device-calls.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const LARGEST_BODY = 65_536;
const LARGEST_PUSH = 4_096;
const CHUNKED = { 'transfer-encoding': 'chunked' };

function post(
  running: Setup,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(running.service.url, { path: notifyPath(ANDROID_TOKEN), headers, body });
}

function paymentBody(paymentHash: string, extra = ''): string {
  return `{"template":"payment_received","data":{"payment_hash":${JSON.stringify(paymentHash)}}${extra}}`;
}

const bytes = (...parts: readonly (string | readonly number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  );

const BAD_BODIES: readonly (readonly [string, string | Uint8Array])[] = [
  ['empty', ''],
  ['blank', ' \n'],
  ['a byte order mark', bytes([0xef, 0xbb, 0xbf], paymentBody('secret-hash'))],
  ['a byte order mark of UTF-16', bytes([0xff, 0xfe], paymentBody('secret-hash'))],
  ['UTF-16', Buffer.from(paymentBody('secret-hash'), 'utf16le')],
  ['a byte that is no UTF-8', bytes('{"template":"secret-hash', [0xff], '"}')],
  ['an overlong form', bytes('{"template":"secret-hash', [0xc0, 0xaf], '"}')],
  ['half a surrogate pair in UTF-8', bytes('{"template":"secret-hash', [0xed, 0xa0, 0x80], '"}')],
  ['a body that gzip packed', gzipSync(paymentBody('secret-hash'))],
  ['two values', `${paymentBody('secret-hash')}${paymentBody('secret-hash')}`],
  ['a comma too many', '{"template":"secret-hash",}'],
  ['a comment', '{/* secret-hash */}'],
  ['single quotes', "{'template':'secret-hash'}"],
  ['a bare line break in a text', '{"template":"secret-hash\n"}'],
  ['a number that is none', '{"template":"payment_received","data":{"payment_hash":NaN}}'],
  ['a text', '"secret-hash"'],
  ['a list', '["secret-hash"]'],
  ['null', 'null'],
  ['a form', 'template=payment_received&payment_hash=secret-hash'],
  ['an object nested 10,001 deep', nested(10_001)],
  ['lists nested 60,000 deep', '['.repeat(60_000)],
];

/** An object whose unknown field gives this total depth; brackets within texts do not count. */
function nested(depth: number): string {
  const lists = depth - 1;
  return paymentBody('secret-hash', `,"x":${'['.repeat(lists)}"[[{{\\"[["${']'.repeat(lists)}`);
}

test('refuses everything that is not a JSON object in plain UTF-8, and repeats nothing of it', async () => {
  const running = await setup();
  for (const [name, body] of BAD_BODIES) {
    for (const headers of [{ 'content-type': 'application/json' }, CHUNKED]) {
      const answer = await post(running, body, headers);
      expect(refusalOf(answer), name).toBe('400 bad_body');
      expect(problemOf(answer).errors?.length, name).toBeGreaterThan(0);
      expect(answer.text, name).not.toContain('secret');
    }
  }
  expect(running.sandbox.received()).toEqual([]);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
  const said = JSON.stringify([running.log.events, running.log.lines]);
  expect(said).not.toContain('secret');
  expect(said).not.toContain(ANDROID_TOKEN);
});

test('takes a body nested 10,000 deep', async () => {
  const running = await setup();
  const answer = await post(running, nested(10_000));
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('delivered')]);
});

test('refuses a body with a content encoding, and names the one it takes', async () => {
  const running = await setup();
  const bodies = [gzipSync(paymentBody('packed')), paymentBody('plain')];
  for (const body of bodies) {
    for (const encoding of ['gzip', 'GZIP', 'br', 'identity, gzip']) {
      const answer = await post(running, body, { 'content-encoding': encoding });
      expect(refusalOf(answer), encoding).toBe('415 unsupported_encoding');
      expect(answer.headers['accept-encoding']).toBe('identity');
    }
  }
  const chunked = await post(running, gzipSync('x'), { ...CHUNKED, 'content-encoding': 'gzip' });
  expect(refusalOf(chunked)).toBe('415 unsupported_encoding');
  expect(running.sandbox.received()).toEqual([]);
  const plain = await post(running, paymentBody('plain'), { 'content-encoding': 'identity' });
  expect(plain.status).toBe(200);
});

test('keeps a problem below 1,000 bytes: the first eight faults, and how many more', async () => {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT });
  const register = async (names: readonly string[]) => {
    const fields = Object.fromEntries(names.map((name) => [name, 1]));
    const body = { platform: 'ios', token: 'ab12', ...fields };
    return await callRegistry(running, { method: 'POST', body });
  };
  const few = await register(Array.from({ length: 8 }, (_, index) => `x${index}`));
  expect(problemOf(few).errors).toHaveLength(8);
  expect(problemOf(few)).not.toHaveProperty('more_errors');
  const many = await register(Array.from({ length: 1_000 }, (_, index) => `x${index}`));
  expect(problemOf(many).errors).toHaveLength(8);
  expect(problemOf(many).more_errors).toBe(992);
  // Names that take many bytes, some of them after escaping.
  for (const character of ['x', '発', '\u0001']) {
    const long = await register(Array.from({ length: 20 }, (_, i) => character.repeat(90) + i));
    const { errors = [], more_errors = 0 } = problemOf(long);
    expect(errors.length + more_errors, character).toBe(20);
    expect(long.bytes.length, character).toBeLessThan(1_000);
  }
});

test('names every field at fault', async () => {
  const running = await setup();
  const bodies: readonly (readonly [string, readonly string[]])[] = [
    ['{}', ['template']],
    ['{"template":"secret"}', ['template']],
    ['{"event":"secret"}', ['event']],
    ['{"template":"payment_received"}', ['data']],
    [
      '{"template":"lnurlpay_invoice","data":{"amount":0,"comment":1}}',
      ['data.amount', 'data.comment', 'data.reply_url'],
    ],
    ['{"event":"invoice.request","data":{"offer":""}}', ['data.invoiceRequest', 'data.offer']],
  ];
  for (const [body, fields] of bodies) {
    const answer = await post(running, body);
    expect(refusalOf(answer), body).toBe('400 bad_body');
    const named = problemOf(answer).errors?.map(({ field }) => field) ?? [];
    expect(named.toSorted(), body).toEqual(fields);
    expect(answer.text).not.toContain('secret');
  }
});

test('takes the last of two equal keys', async () => {
  const running = await setup();
  const twice =
    '{"template":"tx_confirmed","data":{"payment_hash":"dropped"},"template":"payment_received","data":{"payment_hash":"first","payment_hash":"last"}}';
  expect((await post(running, twice)).status).toBe(200);
  const [push] = running.sandbox.received();
  expect(push?.data).toMatchObject({
    notification_type: 'payment_received',
    notification_payload: '{"payment_hash":"last"}',
  });
});

test('takes a body of 64 KiB and not a byte more, announced or in chunks', async () => {
  const running = await setup();
  const bodyOf = (size: number, hash: string) => {
    const body = paymentBody(hash);
    return body + ' '.repeat(size - body.length);
  };
  for (const [name, headers] of [
    ['announced', {}],
    ['chunked', CHUNKED],
  ] as const) {
    const fits = await post(running, bodyOf(LARGEST_BODY, name), headers);
    expect([fits.status, fits.text], name).toEqual([200, expect.stringContaining('delivered')]);
    for (const size of [LARGEST_BODY + 1, 4 * LARGEST_BODY]) {
      const answer = await post(running, bodyOf(size, `${name} ${size}`), headers);
      expect(refusalOf(answer), name).toBe('413 body_too_large');
      expect(problemOf(answer)).not.toHaveProperty('excess_bytes');
    }
  }
  expect(running.sandbox.received()).toHaveLength(2);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toHaveLength(2);
});

/** What counts toward a push's size, according to the provider's documentation. */
const MEASURES: readonly {
  readonly name: string;
  readonly path: string;
  readonly measure: (push: ReceivedPush | undefined) => number;
}[] = [
  { name: 'Android by FCM', path: notifyPath(ANDROID_TOKEN), measure: dataBytes },
  {
    name: 'iOS by APNs',
    path: notifyPath(IOS_TOKEN),
    measure: (push) => Buffer.byteLength(JSON.stringify(push?.apns?.payload)),
  },
  {
    name: 'iOS by FCM',
    path: `/api/v1/notify?platform=ios&token=${ANDROID_TOKEN}`,
    measure: (push) => {
      const aps = { alert: { title: push?.title }, 'mutable-content': 1 };
      const asApns = Buffer.byteLength(JSON.stringify({ ...push?.data, aps }));
      return Math.max(asApns, dataBytes(push));
    },
  },
];

function dataBytes(push: ReceivedPush | undefined): number {
  return Object.entries(push?.data ?? {})
    .map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value))
    .reduce((total, part) => total + part, 0);
}

for (const { name, path, measure } of MEASURES) {
  test(`sends a push of exactly 4,096 bytes and refuses one more: ${name}`, async () => {
    const running = await setup();
    // Texts with more bytes than characters, escaped once and twice.
    for (const [index, start] of ['a', 'é発🌩', '"\\\u0001'].entries()) {
      const room = await excessOf(running, path, `${start}${'x'.repeat(5_000)}`);
      const fitting = `${start}${'x'.repeat(5_000 - room)}`;
      expect(await excessOf(running, path, `${fitting}x`)).toBe(1);
      expect(await excessOf(running, path, `${fitting}xx`)).toBe(2);
      const answer = await send(running.service.url, { path, body: paymentBody(fitting) });
      expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('delivered')]);
      expect(measure(running.sandbox.received()[index])).toBe(LARGEST_PUSH);
    }
    expect(running.sandbox.received()).toHaveLength(3);
    await running.service.settled();
    expect(await running.service.store.findDeliveries({ limit: 10 })).toHaveLength(3);
  });
}

/** How many bytes too many a push has, according to the service. */
async function excessOf(running: Setup, path: string, paymentHash: string): Promise<number> {
  const answer = await send(running.service.url, { path, body: paymentBody(paymentHash) });
  expect(refusalOf(answer)).toBe('413 push_too_large');
  const excess = problemOf(answer).excess_bytes ?? 0;
  expect(problemOf(answer).detail).toContain(String(excess));
  return excess;
}

test('counts app_data, too', async () => {
  const running = await setup();
  const query = new URLSearchParams({ app_data: 'd'.repeat(5_000) });
  for (const token of [ANDROID_TOKEN, IOS_TOKEN]) {
    const path = `${notifyPath(token)}&${query}`;
    const answer = await send(running.service.url, { path, body: paymentBody('short') });
    expect(refusalOf(answer)).toBe('413 push_too_large');
  }
});

test('refuses a question that is too large for a push, including its reply address', async () => {
  const running = await setup();
  const data = { offer: 'lno1', invoiceRequest: '00'.repeat(2_100) };
  const answer = await post(running, JSON.stringify({ event: 'invoice.request', data }));
  expect(refusalOf(answer)).toBe('413 push_too_large');
  expect(running.service.load()).toMatchObject({ replyCallers: 0, replyIds: 0 });
});
