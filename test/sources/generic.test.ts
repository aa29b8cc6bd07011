import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSources } from '../../src/sources/all-sources.ts';
import { createGeneric } from '../../src/sources/generic.ts';
import { type GenericConfig, genericConfig } from '../../src/sources/generic-config.ts';
import { LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';
import fc from '../support/properties.ts';
import { call, codeOf, credentials, NOW_MS, notificationOf, requestOf } from './calls.ts';

const SECRET = 'correct horse';

const SIMPLE = {
  name: 'acme',
  signature: { header: 'X-Acme-Signature' },
  type: { pointer: '/event' },
  id: '/id',
};
const TIMED = {
  name: 'acme',
  signature: {
    header: 'X-Acme-Signature',
    algorithm: 'sha512',
    encoding: 'base64',
    prefix: 'v0=',
    signs: 'v0:{timestamp}:{body}',
  },
  timestamp: { header: 'X-Acme-Time', tolerance_seconds: 60 },
  type: {
    pointer: '/event/type',
    names: { 'invoice.paid': 'payment_succeeded' },
    ignored: ['ping'],
  },
  title: { pointer: '/title' },
  payload: { order: '/order/id', amount: '/order/amount' },
};
const BODY = '{"event":{"type":"invoice.paid"},"title":"Paid","order":{"id":"o1","amount":1.0}}';

interface Sent {
  readonly config: GenericConfig;
  readonly body: string | Uint8Array;
  readonly time?: string;
  readonly signature?: string;
  readonly secret?: string;
  readonly receivedAtMs?: number;
}

function sign({ config, body, time = String(NOW_MS / 1_000), secret = SECRET }: Sent): string {
  const { algorithm, encoding, prefix, signs } = config.signature;
  const [before = '', after = ''] = signs.replace('{timestamp}', time).split('{body}');
  const mac = createHmac(algorithm, secret).update(before).update(body).update(after);
  return prefix + mac.digest(encoding);
}

function send(sent: Sent) {
  const { config, body, receivedAtMs = NOW_MS } = sent;
  const headers = {
    [config.signature.header ?? '']: sent.signature ?? sign(sent),
    ...(config.timestamp === undefined
      ? {}
      : { [config.timestamp.header]: sent.time ?? String(NOW_MS / 1_000) }),
  };
  const source = createGeneric(config);
  const request = requestOf({ headers, body, receivedAtMs });
  return call(source, request, credentials({ secrets: ['old', SECRET] }));
}

function faultsOf(config: unknown): readonly string[] {
  const result = genericConfig.safeParse(config);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('connects a service with four lines: id, source and type are pushed', () => {
  const config = genericConfig.parse(SIMPLE);
  expect(
    notificationOf(send({ config, body: '{"id":7,"event":"order.paid","name":"Jane"}' })),
  ).toEqual({
    type: 'order_paid',
    payload: '{"id":"7","source":"acme","type":"order_paid"}',
    subject: '7',
    duplicateOf: { key: '["acme","order.paid","7"]', windowMs: 7 * 24 * 3_600_000 },
  });
});

test('signs a time, renames a type, takes the title and fields from the body', () => {
  const config = genericConfig.parse(TIMED);
  const notification = notificationOf(send({ config, body: BODY }));
  expect(notification).toMatchObject({
    type: 'payment_succeeded',
    title: 'Paid',
    payload: '{"amount":1.0,"order":"o1","source":"acme","type":"payment_succeeded"}',
    duplicateOf: { windowMs: 120_000 },
  });
  const again = notificationOf(send({ config, body: BODY }));
  expect(again.duplicateOf).toEqual(notification.duplicateOf);
  const later = notificationOf(send({ config, body: BODY, time: String(NOW_MS / 1_000 + 1) }));
  expect(later.duplicateOf?.key).not.toBe(notification.duplicateOf?.key);
});

test('ignores the configured types, and refuses a time too far from now', () => {
  const config = genericConfig.parse(TIMED);
  expect(codeOf(send({ config, body: '{"event":{"type":"ping"}}' }))).toBe('ignored');
  for (const [seconds, code] of [
    [-60, 'notification'],
    [60, 'notification'],
    [-61, 'stale_timestamp'],
    [61, 'stale_timestamp'],
  ] as const) {
    const time = String(NOW_MS / 1_000 + seconds);
    expect(codeOf(send({ config, body: BODY, time })), time).toBe(code);
  }
  for (const time of ['', 'now', '1.5', '-1', '9'.repeat(300)]) {
    expect(codeOf(send({ config, body: BODY, time }))).toBe('stale_timestamp');
  }
  const inMs = genericConfig.parse({
    ...TIMED,
    timestamp: { ...TIMED.timestamp, unit: 'milliseconds' },
  });
  expect(codeOf(send({ config: inMs, body: BODY, time: String(NOW_MS) }))).toBe('notification');
});

test.each([
  ['sha1', 'hex', ''],
  ['sha256', 'hex', 'sha256='],
  ['sha256', 'base64', ''],
  ['sha512', 'base64url', 'v1,'],
] as const)('checks %s in %s after "%s"', (algorithm, encoding, prefix) => {
  const signature = { header: 'x-s', algorithm, encoding, prefix };
  const config = genericConfig.parse({ ...SIMPLE, signature });
  const body = '{"id":"1","event":"a"}';
  const good = sign({ config, body });
  expect(codeOf(send({ config, body, signature: good }))).toBe('notification');
  const bare = good.slice(prefix.length);
  const wrong = ['', bare.slice(1), `${good}A`, `x${good}`, prefix, `${prefix}${bare}${bare}`];
  for (const bad of prefix === '' ? wrong : [...wrong, bare]) {
    expect(codeOf(send({ config, body, signature: bad })), bad).toBe('bad_signature');
  }
  const padded = encoding === 'base64url' ? `${good}==` : good;
  expect(codeOf(send({ config, body, signature: padded }))).toBe('notification');
});

test('refuses every change of signature, time and bytes, and every other secret', () => {
  const config = genericConfig.parse(TIMED);
  const signature = sign({ config, body: BODY });
  fc.assert(
    fc.property(
      fc.nat(1_000),
      fc.integer({ min: 1, max: 255 }),
      fc.string(),
      (at, mask, secret) => {
        fc.pre(secret !== SECRET && secret !== 'old');
        const mac = Buffer.from(signature.slice(3), 'base64');
        mac[at % mac.length] = (mac[at % mac.length] ?? 0) ^ mask;
        const body = Buffer.from(BODY);
        body[at % body.length] = (body[at % body.length] ?? 0) ^ mask;
        const results = [
          send({ config, body: BODY, signature: `v0=${mac.toString('base64')}` }),
          send({ config, body, signature }),
          send({ config, body: BODY, signature, time: String(NOW_MS / 1_000 + 1 + (at % 59)) }),
          send({ config, body: BODY, secret }),
        ];
        expect(results.map(codeOf)).toEqual(results.map(() => 'bad_signature'));
      },
    ),
  );
});

test.each(['{"id":1}', '{"id":1,"event":null}', '{"id":1,"event":{}}', '{"id":1,"event":""}'])(
  'refuses the validly signed body %s, which names no event',
  (body) => {
    const result = send({ config: genericConfig.parse(SIMPLE), body });
    expect(codeOf(result)).toBe('bad_body');
    expect('error' in result && result.error.details.faults?.[0]?.field).toBe('/event');
  },
);

test('refuses types that are not names, and bodies without the id', () => {
  const config = genericConfig.parse(SIMPLE);
  for (const event of ['a b', 'ü', '<b>', 'a'.repeat(101)]) {
    expect(codeOf(send({ config, body: JSON.stringify({ id: 1, event }) }))).toBe('bad_body');
  }
  for (const body of ['{"event":"a"}', '[]', '7', '{"id":[1],"event":"a"}', 'x', '']) {
    expect(codeOf(send({ config, body })), body).toBe('bad_body');
  }
});

test('a title is a text of the configuration, or one of the body of limited length', () => {
  const body = (title: unknown) => JSON.stringify({ id: 1, event: 'a', t: title });
  const fixed = genericConfig.parse({ ...SIMPLE, title: { text: 'News' } });
  expect(notificationOf(send({ config: fixed, body: body('x') })).title).toBe('News');
  const pointed = genericConfig.parse({ ...SIMPLE, title: { pointer: '/t' } });
  const titles = ['', null, undefined, {}].map(
    (title) => notificationOf(send({ config: pointed, body: body(title) })).title,
  );
  expect(titles).toEqual([undefined, undefined, undefined, undefined]);
  const long = notificationOf(send({ config: pointed, body: body(`${'a'.repeat(99)}😀b`) })).title;
  expect(long).toBe(`${'a'.repeat(99)}\ufffd`);
});

test('says what would be valid in a configuration', () => {
  expect(faultsOf(SIMPLE)).toEqual([]);
  expect(faultsOf(TIMED)).toEqual([]);
  expect(
    faultsOf({
      name: 'Acme!',
      signature: {
        header: 'x y',
        algorithm: 'md5',
        encoding: 'binary',
        signs: '{time}.{body}',
        secret: 's',
      },
      type: { pointer: 'event', names: { a: 'b c' } },
      id: '/a~2',
      title: 'x',
      payload: { 'a b': '/a' },
    }),
  ).toEqual([
    'name: must be lower-case letters, digits and `_`, and begin with a letter',
    'signature.header: must be the name of a header',
    'signature.algorithm: must be sha256, sha1 or sha512',
    'signature.encoding: must be hex, base64 or base64url',
    'signature.signs: must hold no other braces than {body}, {sorted_body}, {timestamp}, {id}',
    'signature: has no such key: secret',
    'type.pointer: must be a JSON pointer such as /data/id (RFC 6901)',
    'type.names.a: must be letters, digits and `_`, such as `payment_received`',
    'id: must be a JSON pointer such as /data/id (RFC 6901)',
    'title: must be {"text": …} or {"pointer": …}',
    'payload.a b: must be pointers by names of letters, digits and `_`',
  ]);
});

test('requires the sections that it needs', () => {
  expect(faultsOf({})).toEqual([
    'name: must be lower-case letters, digits and `_`, and begin with a letter',
    'signature: is required: a JSON object',
    'type: is required: a JSON object',
  ]);
  expect(faultsOf('acme')).toEqual([': is required: a JSON object']);
});

test('requires a field that distinguishes a replay from a new call', () => {
  const { id: _id, ...withoutId } = SIMPLE;
  expect(faultsOf(withoutId)).toEqual([
    'id: is required unless {timestamp} is signed: nothing else tells a replay from a new call',
  ]);
  const { timestamp: _timestamp, ...withoutTime } = TIMED;
  expect(faultsOf(withoutTime)).toEqual([
    'timestamp: is required, since {timestamp} is signed: name its header',
  ]);
  expect(faultsOf({ ...SIMPLE, timestamp: { header: 'x-time' } })).toEqual([
    'timestamp: must be absent, or {timestamp} be in signature.signs: an unsigned time proves nothing',
  ]);
  expect(faultsOf({ ...SIMPLE, payload: { type: '/a' } })).toEqual([
    'payload: must not name type, which every push has',
  ]);
  for (const signs of [
    '',
    '{timestamp}',
    '{body}{body}',
    '{body}.{x}',
    '{timestamp}{timestamp}{body}',
  ]) {
    expect(faultsOf({ ...TIMED, signature: { ...TIMED.signature, signs } }), signs).not.toEqual([]);
  }
});

test('two sources cannot have the same name', () => {
  const create = (...names: readonly string[]) =>
    createSources({
      lsps5: LSPS5_DEFAULTS,
      generic: names.map((name) => genericConfig.parse({ ...SIMPLE, name })),
    });
  expect([...create('acme', 'other').keys()].slice(-2)).toEqual(['acme', 'other']);
  expect(() => create('epay')).toThrow('There are two sources with the name epay.');
  expect(() => create('acme', 'acme')).toThrow('acme');
});

test('only the signature of bLIP-55 waits for its turn', () => {
  const generic = [genericConfig.parse(SIMPLE)];
  const sources = [...createSources({ lsps5: LSPS5_DEFAULTS, generic }).values()];
  const waiting = sources.filter(({ precheck }) => precheck !== undefined);
  expect(waiting.map(({ name }) => name)).toEqual(['lsps5']);
});
