import { createHmac, createPrivateKey, createPublicKey, sign as signEd25519 } from 'node:crypto';
import { expect, test } from 'vitest';
import { faultOfStandardKey } from '../../src/sources/signatures/standard-webhooks.ts';
import { standardWebhooks } from '../../src/sources/standard-webhooks.ts';
import fc from '../support/properties.ts';
import { call, codeOf, credentials, NOW_MS, notificationOf, requestOf } from './calls.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const ID = 'msg_1';
const TIME = String(NOW_MS / 1_000);
const BODY = '{"type":"payment.succeeded","timestamp":"2025-08-01T11:59:58Z","data":{"n":1}}';

interface Sent {
  readonly id?: string;
  readonly time?: string;
  readonly body?: string | Uint8Array;
  readonly signature?: string;
  readonly secrets?: readonly string[];
  readonly receivedAtMs?: number;
}

function contentOf({ id = ID, time = TIME, body = BODY }: Sent): Uint8Array {
  return Buffer.concat([Buffer.from(`${id}.${time}.`), Buffer.from(body)]);
}

function signV1(sent: Sent, secret = SECRET): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return `v1,${createHmac('sha256', key).update(contentOf(sent)).digest('base64')}`;
}

function send(sent: Sent) {
  const { id = ID, time = TIME, body = BODY, secrets = [SECRET], receivedAtMs = NOW_MS } = sent;
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': time,
    'webhook-signature': sent.signature ?? signV1(sent),
  };
  const request = requestOf({ headers, body, receivedAtMs });
  return call(standardWebhooks, request, credentials({ secrets }));
}

/** RFC 8410: an Ed25519 seed as PKCS#8. */
function ed25519(seed: Uint8Array) {
  const head = Buffer.from('302e020100300506032b657004220420', 'hex');
  const der = Buffer.concat([head, seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    whpk: `whpk_${spki.subarray(-32).toString('base64')}`,
    sign: (content: Uint8Array) =>
      `v1a,${signEd25519(null, content, privateKey).toString('base64')}`,
  };
}

test('takes the published vectors of the reference libraries', () => {
  // From libraries/go and libraries/javascript of standard-webhooks: the secret, the id and the time are theirs.
  const vector = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    time: '1614265330',
    body: '{"test": 2432232314}',
    receivedAtMs: 1_614_265_330_000,
  };
  const v1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  expect(signV1(vector, secret)).toBe(v1);
  // Validly signed, but without a type.
  expect(codeOf(send({ ...vector, signature: v1, secrets: [secret] }))).toBe('bad_body');
  expect(codeOf(send({ ...vector, signature: v1 }))).toBe('bad_signature');

  const key = ed25519(Buffer.from('VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', 'base64'));
  const v1a =
    'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==';
  expect(key.sign(contentOf(vector))).toBe(v1a);
  expect(codeOf(send({ ...vector, signature: v1a, secrets: [key.whpk] }))).toBe('bad_body');
  expect(codeOf(send({ ...vector, signature: v1a, secrets: [secret] }))).toBe('bad_signature');
});

test('one entry that fits one key is enough, wherever the two are', () => {
  const key = ed25519(Buffer.alloc(32, 9));
  const keys = [OTHER_SECRET, key.whpk, SECRET];
  const noise = ['v2,AAAA', 'v1', ',', '', 'v1,', 'v1,AAAA', 'v1a,AAAA', signV1({ id: 'other' })];
  for (const good of [signV1({}), signV1({}, OTHER_SECRET), key.sign(contentOf({}))]) {
    const signature = [...noise.slice(0, 4), good, ...noise.slice(4)].join(' ');
    expect(codeOf(send({ signature, secrets: keys }))).toBe('notification');
    expect(codeOf(send({ signature, secrets: keys.toReversed() }))).toBe('notification');
  }
  expect(codeOf(send({ signature: noise.join(' '), secrets: keys }))).toBe('bad_signature');
});

function signedHeaders(prefix: string, sent: Sent = {}, secret = SECRET): Record<string, string> {
  const { id = ID, time = TIME } = sent;
  return {
    [`${prefix}id`]: id,
    [`${prefix}timestamp`]: time,
    [`${prefix}signature`]: signV1(sent, secret),
  };
}

function sendHeaders(headers: Readonly<Record<string, string>>) {
  return call(
    standardWebhooks,
    requestOf({ headers, body: BODY }),
    credentials({ secrets: [SECRET] }),
  );
}

test('takes the names that Svix uses for the three headers', () => {
  const result = sendHeaders(signedHeaders('svix-', { id: 'msg_svix' }));
  expect(notificationOf(result)).toMatchObject({
    subject: 'msg_svix',
    duplicateOf: { key: 'msg_svix' },
  });
});

test('if both sets of names are complete, webhook-* counts', () => {
  const good = { ...signedHeaders('svix-', { id: 'msg_svix' }), ...signedHeaders('webhook-') };
  expect(notificationOf(sendHeaders(good)).subject).toBe(ID);
  const forged = { ...signedHeaders('svix-'), ...signedHeaders('webhook-', {}, OTHER_SECRET) };
  expect(codeOf(sendHeaders(forged))).toBe('bad_signature');
});

test('a mixture of both sets of names is refused', () => {
  const both = { ...signedHeaders('webhook-'), ...signedHeaders('svix-') };
  const parts = ['id', 'timestamp', 'signature'];
  for (const ofSvix of parts) {
    const mixed = parts.map((part) => `${part === ofSvix ? 'svix-' : 'webhook-'}${part}`);
    for (const names of [mixed, mixed.filter((name) => !name.startsWith('svix-'))]) {
      const headers = Object.fromEntries(names.map((name) => [name, both[name] ?? '']));
      const result = sendHeaders(headers);
      expect(codeOf(result)).toBe('bad_signature');
      expect('error' in result && result.error.details.detail).toContain(
        `webhook-${ofSvix} is missing`,
      );
    }
  }
  expect(codeOf(sendHeaders({}))).toBe('bad_signature');
});

test('reads sixteen entries and no more', () => {
  const noise = Array.from({ length: 16 }, () => 'v1,AAAA');
  expect(codeOf(send({ signature: [...noise.slice(1), signV1({})].join(' ') }))).toBe(
    'notification',
  );
  expect(codeOf(send({ signature: [...noise, signV1({})].join(' ') }))).toBe('bad_signature');
});

test('a signature counts under its own scheme only', () => {
  const key = ed25519(Buffer.alloc(32, 9));
  const keys = [SECRET, key.whpk];
  const swapped = [
    signV1({}).replace('v1,', 'v1a,'),
    key.sign(contentOf({})).replace('v1a,', 'v1,'),
    signV1({}).replace('v1,', 'V1,'),
    signV1({}).replace('v1,', 'v2,'),
    signV1({}).replace('v1,', ''),
  ];
  for (const signature of swapped) {
    expect(codeOf(send({ signature, secrets: keys })), signature).toBe('bad_signature');
  }
});

test('allows five minutes both ways in whole seconds', () => {
  const now = NOW_MS / 1_000;
  for (const seconds of [-300, 0, 300]) {
    expect(codeOf(send({ time: String(now + seconds), receivedAtMs: NOW_MS + 999 }))).toBe(
      'notification',
    );
  }
  for (const seconds of [-301, 301, 10 ** 9]) {
    expect(codeOf(send({ time: String(now + seconds) }))).toBe('stale_timestamp');
  }
});

test.each(['', '-1', '+1', '1e9', '0x1', ' 1', '5x', `${TIME}.0`, '9'.repeat(400), 'Infinity'])(
  'refuses the time "%.20s", though well signed',
  (time) => expect(codeOf(send({ time }))).toBe('stale_timestamp'),
);

test('refuses ids that could split the signed text differently', () => {
  const ids = ['', 'a b', 'a,b', 'a"b', 'a{b', 'é', 'a'.repeat(257)];
  for (const id of ids) expect(codeOf(send({ id })), id).toBe('bad_signature');
  expect(codeOf(send({ id: 'evt.01-A_b:c' }))).toBe('notification');
});

test('without a usable key nothing is accepted: no key, an empty one, one of the wrong length, a private one', () => {
  const keys = ['', 'whsec_', `whsec_${Buffer.alloc(23).toString('base64')}`, 'whsk_AAAA', 'x'];
  const long = `whsec_${Buffer.alloc(65).toString('base64')}`;
  const short = `whpk_${Buffer.alloc(31).toString('base64')}`;
  for (const key of [...keys, long, short, SECRET.slice('whsec_'.length)]) {
    expect(faultOfStandardKey(key), key).toMatch(/^must be whsec_/);
    expect(faultOfStandardKey(key)).not.toContain('AAAA');
    const signature = key.startsWith('whsec_') ? signV1({}, key) : signV1({});
    expect(codeOf(send({ signature, secrets: [key] })), key).toBe('bad_signature');
  }
  expect(codeOf(send({ secrets: [] }))).toBe('bad_signature');
  expect(faultOfStandardKey(SECRET)).toBeUndefined();
  expect(faultOfStandardKey(ed25519(Buffer.alloc(32, 9)).whpk)).toBeUndefined();
});

test('sorts keys at every depth by bytes and keeps numbers as they were written', () => {
  const data = '{"b":[{"z":1,"a":1.0}],"9":1e2,"10":18446744073709551616,"é":null,"Z":"\\ud800"}';
  const body = `{"type":"a.b-c","data":${data},"more":1}`;
  expect(notificationOf(send({ body }))).toMatchObject({
    type: 'a_b-c',
    subject: ID,
    payload: `{"data":{"10":18446744073709551616,"9":1e2,"Z":"\ufffd","b":[{"a":1.0,"z":1}],"é":null},"id":"msg_1","type":"a.b-c"}`,
    duplicateOf: { key: ID, windowMs: 7 * 24 * 3_600_000 },
  });
});

test.each([
  ['{"type":"payment succeeded"}', 'type'],
  ['{"type":""}', 'type'],
  [`{"type":"${'a'.repeat(101)}"}`, 'type'],
  ['{"type":null,"data":{}}', 'type'],
  ['5', 'type'],
  ['"a"', 'body'],
  ['[]', 'body'],
  ['{"type":"a"}{', 'body'],
  [`{"type":"a","data":${'['.repeat(101)}${']'.repeat(101)}}`, 'body'],
  [`{"type":"a","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'body'],
  ['{"template":"payment_received","data":{}}', 'data.payment_hash'],
])('refuses the well-signed body %.50s', (body, field) => {
  const result = send({ body });
  expect(codeOf(result)).toBe('bad_body');
  expect('error' in result && result.error.details.faults?.[0]?.field).toBe(field);
});

test('a body of the Breez family means the same as elsewhere, and its key is the webhook-id', () => {
  const received = notificationOf(
    send({ body: '{"type":"payment_received","data":{"payment_hash":"aa"}}' }),
  );
  expect(received).toMatchObject({
    type: 'payment_received',
    payload: '{"payment_hash":"aa"}',
    subject: 'aa',
    duplicateOf: { key: ID, windowMs: 7 * 24 * 3_600_000 },
  });
  const swap = '{"event":"swap.update","data":{"id":"a","status":"b"}}';
  expect(notificationOf(send({ body: swap })).type).toBe('swap_updated');
});

test('an invoice.request inside is a question as elsewhere', () => {
  const body = '{"event":"invoice.request","data":{"offer":"lno1","invoiceRequest":"00"}}';
  const result = send({ body });
  if (!('parsed' in result) || result.parsed.kind !== 'question') throw new Error('no question');
  expect(result.parsed.key).toBe('00');
  expect(result.parsed.notification('https://nds/r').type).toBe('invoice_request');
});

test('an event with a name of Breez but other data stays an event', () => {
  const body = '{"type":"payment_received","data":{"order":5}}';
  expect(notificationOf(send({ body })).payload).toContain('"data":{"order":5}');
});

test('never answers 410, which would disable the endpoint', () => {
  expect(standardWebhooks.statuses).toEqual({ token_unregistered: 422 });
});

test('refuses every change of signature, id, time and body, and every other key', () => {
  const key = ed25519(Buffer.alloc(32, 9));
  const schemes = [
    { list: signV1({}), secrets: [SECRET] },
    { list: key.sign(contentOf({})), secrets: [key.whpk] },
  ];
  const flip = (bytes: Uint8Array, index: number, mask: number) => {
    const changed = Buffer.from(bytes);
    const at = index % changed.length;
    changed[at] = (changed[at] ?? 0) ^ mask;
    return changed;
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...schemes),
      fc.nat(10_000),
      fc.integer({ min: 1, max: 255 }),
      fc.integer({ min: 1, max: 299 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      ({ list, secrets }, index, mask, seconds, otherKey) => {
        const [scheme = '', text = ''] = list.split(',');
        const signature = flip(Buffer.from(text, 'base64'), index, mask).toString('base64');
        const refused = [
          send({ secrets, signature: `${scheme},${signature}` }),
          send({ secrets, signature: list, id: `${ID}${index}` }),
          send({ secrets, signature: list, time: String(NOW_MS / 1_000 + seconds) }),
          send({ secrets, signature: list, time: `0${TIME}` }),
          send({ secrets, signature: list, body: flip(Buffer.from(BODY), index, mask) }),
          send({ signature: list, secrets: [`whsec_${Buffer.from(otherKey).toString('base64')}`] }),
          send({ signature: list, secrets: [`whpk_${Buffer.from(otherKey).toString('base64')}`] }),
        ];
        expect(refused.map(codeOf)).toEqual(refused.map(() => 'bad_signature'));
      },
    ),
    { numRuns: 80 },
  );
});
