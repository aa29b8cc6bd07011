import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createLsps5, LSPS5_DEFAULTS, type Lsps5Options } from '../../src/sources/lsps5.ts';
import fc from '../support/properties.ts';
import {
  call,
  codeOf,
  credentials,
  fromZbase32,
  NOW_MS,
  nodeIdOf,
  notificationOf,
  type Result,
  requestOf,
  signLightning,
  zbase32,
} from './calls.ts';

const SECRET = Buffer.alloc(32, 0x42);
const OTHER_SECRET = Buffer.alloc(32, 0x43);
const NODE_ID = nodeIdOf(SECRET);
const TIME = '2025-08-01T11:59:59.395Z';
const BODY = '{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":{}}';

interface Sent {
  readonly body?: string | Uint8Array;
  readonly time?: string;
  readonly secret?: Uint8Array;
  readonly signature?: string;
  readonly options?: Partial<Lsps5Options>;
  readonly nodeIds?: readonly string[];
  readonly receivedAtMs?: number;
}

function sign(time: string, body: string | Uint8Array, secret: Uint8Array = SECRET): string {
  const head = `LSPS5: DO NOT SIGN THIS MESSAGE MANUALLY: LSP: At ${time} I notify `;
  return zbase32(signLightning(Buffer.concat([Buffer.from(head), Buffer.from(body)]), secret));
}

function send({ body = BODY, time = TIME, secret = SECRET, nodeIds = [NODE_ID], ...sent }: Sent) {
  const source = createLsps5({ ...LSPS5_DEFAULTS, ...sent.options });
  const headers = {
    'x-lsps5-timestamp': time,
    'x-lsps5-signature': sent.signature ?? sign(time, body, secret),
  };
  const { receivedAtMs = NOW_MS } = sent;
  return call(source, requestOf({ headers, body, receivedAtMs }), credentials({ nodeIds }));
}

function faultsOf(result: Result): readonly string[] {
  const faults = 'error' in result ? (result.error.details.faults ?? []) : [];
  return faults.map(({ field }) => field);
}

test('signs exactly the bytes that the example of bLIP-55 shows', () => {
  const dump = `
    4c53 5053 353a 2044 4f20 4e4f 5420 5349 474e 2054 4849 5320 4d45 5353 4147 4520
    4d41 4e55 414c 4c59 3a20 4c53 503a 2041 7420 3230 3233 2d30 352d 3034 5431 303a
    3532 3a35 382e 3339 355a 2049 206e 6f74 6966 7920 7b22 6a73 6f6e 7270 6322 3a22
    322e 3022 2c22 6d65 7468 6f64 223a 226c 7370 7335 2e67 6f6f 6462 7965 222c 2270
    6172 616d 7322 3a7b 7d7d`;
  const message = Buffer.from(dump.replaceAll(/\s/g, ''), 'hex');
  const result = send({
    time: '2023-05-04T10:52:58.395Z',
    body: '{"jsonrpc":"2.0","method":"lsps5.goodbye","params":{}}',
    signature: zbase32(signLightning(message, SECRET)),
    receivedAtMs: Date.parse('2023-05-04T10:52:59Z'),
  });
  expect(codeOf(result)).toBe('ignored');
});

test.each([
  '2025-08-01T11:59:59+00:00',
  '2025-08-01T11:59:59.395+00:00',
  '2025-08-01T11:59:59.395123+00:00',
  '2025-08-01T11:59:59.395123456+00:00',
  '2025-08-01T11:59:59Z',
  '2025-08-01T13:59:59.1+02:00',
  '2025-08-01T01:59:59-10:00',
])('takes the time %s and passes it on as it was written', (time) => {
  const { payload } = notificationOf(send({ time }));
  expect(JSON.parse(payload)).toMatchObject({ timestamp: time });
});

test.each([
  '',
  'now',
  '1754049599',
  '2025-08-01T11:59:59.395',
  '2025-08-01 11:59:59Z',
  '2025-08-01',
  '2025-13-01T11:59:59Z',
  '2025-02-30T11:59:59Z',
  '2025-08-01T24:00:00Z',
  '2025-08-01T11:60:59Z',
  '2025-08-01T11:59:59+2:00',
  '2025-08-01T11:59:59+24:00',
  ` ${TIME}`,
  `2025-08-01T11:59:59.${'9'.repeat(64)}Z`,
])('refuses the time "%s", though well signed', (time) => {
  const result = send({ time });
  expect(codeOf(result)).toBe('stale_timestamp');
  expect(result.status).toBe(401);
});

test('allows ten minutes both ways by default, and no millisecond more', () => {
  const signedAtMs = Date.parse(TIME);
  for (const side of [-1, 1]) {
    const edge = signedAtMs + side * 600_000;
    expect(codeOf(send({ receivedAtMs: edge }))).toBe('notification');
    expect(codeOf(send({ receivedAtMs: edge + side }))).toBe('stale_timestamp');
    const options = { toleranceMs: undefined };
    expect(codeOf(send({ receivedAtMs: edge * 2, options }))).toBe('notification');
  }
});

test('requires a well-formed time even if its age does not matter', () => {
  const options = { toleranceMs: undefined };
  expect(codeOf(send({ time: 'yesterday', options }))).toBe('stale_timestamp');
});

test('recognises a replay by its content: another s, another case, the same duplicate key', () => {
  const first = notificationOf(send({})).duplicateOf;
  const digest = createHash('sha256').update(BODY).digest('hex');
  expect(first).toEqual({
    key: JSON.stringify([NODE_ID, TIME, digest]),
    windowMs: 20 * 60_000,
  });
  expect(notificationOf(send({ signature: sign(TIME, BODY).toUpperCase() })).duplicateOf).toEqual(
    first,
  );
  const later = send({ time: '2025-08-01T11:59:59.396Z' });
  expect(notificationOf(later).duplicateOf?.key).not.toBe(first?.key);
  const spaced = send({ body: `${BODY} ` });
  expect(notificationOf(spaced).duplicateOf?.key).not.toBe(first?.key);
});

test('names the provider that signed, if a device allows several', () => {
  const nodeIds = [nodeIdOf(OTHER_SECRET), NODE_ID.toUpperCase()];
  const { payload } = notificationOf(send({ nodeIds }));
  expect(JSON.parse(payload)).toMatchObject({ lsp_node_id: NODE_ID });
  const other = notificationOf(send({ nodeIds, secret: OTHER_SECRET }));
  expect(JSON.parse(other.payload)).toMatchObject({ lsp_node_id: nodeIdOf(OTHER_SECRET) });
});

test('pushes only the methods that the operator wants', () => {
  const options: Partial<Lsps5Options> = { methods: ['lsps5.expiry_soon'] };
  expect(codeOf(send({ options }))).toBe('ignored');
  const body = '{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":1}}';
  expect(codeOf(send({ options, body }))).toBe('notification');
});

test.each([
  ['{"jsonrpc":"2.0","method":"lsps5.payment_incoming"}', ['params']],
  ['{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":[]}', ['params']],
  ['{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":5}', ['params']],
  ['{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":null}', ['params']],
  ['{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":{},"id":null}', ['id']],
  ['{"jsonrpc":2.0,"method":"lsps5.payment_incoming","params":{}}', ['jsonrpc']],
  ['{"method":"lsps5.payment_incoming","params":{}}', ['jsonrpc']],
  ['{"jsonrpc":"2.0","params":{}}', ['method']],
  ['{"jsonrpc":"2.0","method":7,"params":{}}', ['method']],
  ['{"jsonrpc":"1.0","id":1}', ['jsonrpc', 'method', 'params', 'id']],
  ['{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":1.0}}', ['params.timeout']],
  ['{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":-1}}', ['params.timeout']],
  ['{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":1e3}}', ['params.timeout']],
  [
    `{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":${'9'.repeat(5_000)}}}`,
    ['params.timeout'],
  ],
  ['[]', ['body']],
  ['5', ['jsonrpc', 'method', 'params']],
  ['null', ['body']],
  ['', ['body']],
  ['\ufeff{}', ['body']],
  [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, ['body']],
])('refuses the well-signed body %.60s', (body, fields) => {
  const result = send({ body });
  expect(codeOf(result)).toBe('bad_body');
  expect(faultsOf(result)).toEqual(fields);
});

test('keeps the highest block height as it was written', () => {
  const body = '{"jsonrpc":"2.0","method":"lsps5.expiry_soon","params":{"timeout":4294967295}}';
  expect(notificationOf(send({ body })).payload).toContain('"params":{"timeout":4294967295}');
});

test('reads no body before the signature is verified', () => {
  expect(codeOf(send({ body: 'not json', secret: OTHER_SECRET }))).toBe('bad_signature');
});

test('refuses every change of the decoded signature', () => {
  const decoded = fromZbase32(sign(TIME, BODY));
  fc.assert(
    fc.property(fc.nat(64), fc.integer({ min: 1, max: 255 }), (index, mask) => {
      const changed = Uint8Array.from(decoded);
      changed[index] = (changed[index] ?? 0) ^ mask;
      expect(codeOf(send({ signature: zbase32(changed) }))).toBe('bad_signature');
    }),
    { numRuns: 60 },
  );
});

test('refuses every other signed time', () => {
  const signature = sign(TIME, BODY);
  const times = fc
    .date({ min: new Date(NOW_MS - 599_000), max: new Date(NOW_MS + 599_000), noInvalidDate: true })
    .map((date) => date.toISOString())
    .filter((time) => time !== TIME);
  const spellings = fc.constantFrom('2025-08-01T11:59:59.3950Z', TIME.replace('Z', '+00:00'));
  fc.assert(
    fc.property(fc.oneof(times, spellings), (time) => {
      expect(codeOf(send({ time, signature }))).toBe('bad_signature');
    }),
    { numRuns: 40 },
  );
});

test('refuses every other body', () => {
  const signature = sign(TIME, BODY);
  const bodies = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.tuple(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 })).map(([index, mask]) => {
      const bytes = Buffer.from(BODY);
      bytes[index] = (bytes[index] ?? 0) ^ mask;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      fc.pre(!Buffer.from(BODY).equals(body));
      expect(codeOf(send({ body, signature }))).toBe('bad_signature');
    }),
    { numRuns: 60 },
  );
});
