// Signatures that need more than an HMAC of the body in a header: Stripe's, Svix's, NOWPayments', OpenNode's.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { createGeneric } from '../../src/sources/generic.ts';
import { genericConfig } from '../../src/sources/generic-config.ts';
import fc from '../support/properties.ts';
import { call, codeOf, credentials, hmacHex, NOW_MS, notificationOf, requestOf } from './calls.ts';

const SECRET = 'correct horse';
const SECONDS = String(NOW_MS / 1_000);

function sourceOf(config: unknown) {
  return createGeneric(genericConfig.parse(config));
}

function faultsOf(config: unknown): readonly string[] {
  const { error } = genericConfig.safeParse(config);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

interface Sent {
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
}

function send(config: unknown, { body, headers = {}, secrets = [SECRET] }: Sent) {
  const request = requestOf({ headers, body });
  return call(sourceOf(config), request, credentials({ secrets }));
}

const STRIPE = {
  name: 'stripe_like',
  signature: {
    header: 'X-Signature',
    separator: ',',
    prefix: 'v1=',
    signs: '{timestamp}.{body}',
  },
  timestamp: { header: 'X-Signature', separator: ',', prefix: 't=' },
  type: { pointer: '/type' },
  id: '/id',
};
const STRIPE_BODY = '{"id":"evt_1","type":"payment.settled"}';
const v1 = (secret = SECRET, time = SECONDS) => `v1=${hmacHex(secret, `${time}.${STRIPE_BODY}`)}`;
const stripe = (signature: string) =>
  codeOf(send(STRIPE, { body: STRIPE_BODY, headers: { 'x-signature': signature } }));

test('takes time and signature from the entries of one header', () => {
  const other = `v1=${'0'.repeat(64)}`;
  for (const good of [
    `t=${SECONDS},${v1()}`,
    `${v1()},t=${SECONDS}`,
    `t=${SECONDS}, ${v1()}`,
    `t=${SECONDS},v0=${'0'.repeat(64)},${other},${v1()}`,
  ]) {
    expect(stripe(good), good).toBe('notification');
  }
});

test('refuses entries that do not fit, and a time that is missing, doubled or not the signed one', () => {
  const later = String(NOW_MS / 1_000 + 1);
  for (const [signature, code] of [
    [`t=${SECONDS},${v1('another')}`, 'bad_signature'],
    [`t=${later},${v1()}`, 'bad_signature'],
    [`t=${SECONDS},${v1().replace('v1=', 'v0=')}`, 'bad_signature'],
    [`t=${SECONDS}`, 'bad_signature'],
    [`t=${SECONDS},${Array.from({ length: 15 }, () => 'v1=').join(',')},${v1()}`, 'bad_signature'],
    [v1(), 'stale_timestamp'],
    [`t=${SECONDS},t=${later},${v1()}`, 'stale_timestamp'],
    [`t=0,${v1(SECRET, '0')}`, 'stale_timestamp'],
    ['', 'stale_timestamp'],
  ] as const) {
    expect(stripe(signature), signature).toBe(code);
  }
});

const SVIX = {
  name: 'svix_like',
  signature: {
    header: 'svix-signature',
    separator: ' ',
    prefix: 'v1,',
    encoding: 'base64',
    secret_encoding: 'base64',
    signs: '{id}.{timestamp}.{body}',
  },
  timestamp: { header: 'svix-timestamp' },
  id: { header: 'svix-id' },
  type: { pointer: '/eventType' },
  subject: '/transaction/initiationVia/paymentHash',
};
const SVIX_BODY =
  '{"eventType":"receive.lightning","transaction":{"initiationVia":{"paymentHash":"4bb0"}}}';
const WHSEC = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

function svixHeaders(id: string, key: string | Uint8Array = Buffer.alloc(24, 7)) {
  const content = `${id}.${SECONDS}.${SVIX_BODY}`;
  const mac = createHmac('sha256', key).update(content).digest('base64');
  return { 'svix-id': id, 'svix-timestamp': SECONDS, 'svix-signature': `v1,AAAA v1,${mac}` };
}

test('takes the id from a signed header, and the key from base64 with or without whsec_', () => {
  for (const secret of [WHSEC, WHSEC.slice('whsec_'.length)]) {
    const sent = { body: SVIX_BODY, headers: svixHeaders('msg_1'), secrets: [secret] };
    expect(notificationOf(send(SVIX, sent))).toMatchObject({
      type: 'receive_lightning',
      payload: '{"id":"msg_1","source":"svix_like","type":"receive_lightning"}',
      subject: '4bb0',
      duplicateOf: { key: '["svix_like","receive.lightning","msg_1"]' },
    });
  }
});

test('refuses an id that is missing, differs from the signed one, or could split the signed text differently', () => {
  const headers = svixHeaders('msg_1');
  const { 'svix-id': _id, ...withoutId } = headers;
  const divided = { ...svixHeaders(`msg_1.${SECONDS}.{"x`), 'svix-id': `msg_1.${SECONDS}.{"x` };
  for (const wrong of [{ ...headers, 'svix-id': 'msg_2' }, withoutId, divided]) {
    const sent = { body: SVIX_BODY, headers: wrong, secrets: [WHSEC] };
    expect(codeOf(send(SVIX, sent))).toBe('bad_signature');
  }
  const asText = { body: SVIX_BODY, headers: svixHeaders('msg_1', WHSEC), secrets: [WHSEC] };
  expect(codeOf(send(SVIX, asText))).toBe('bad_signature');
});

test('reports a secret that is not written as configured', () => {
  const { secretFault } = sourceOf(SVIX);
  expect(secretFault?.(WHSEC)).toBeUndefined();
  for (const secret of ['correct horse', 'whsec_', 'whsec_!']) {
    expect(secretFault?.(secret), secret).toBe('must be base64, with or without whsec_ before it');
    const sent = { body: SVIX_BODY, headers: svixHeaders('msg_1', ''), secrets: [secret] };
    expect(codeOf(send(SVIX, sent)), secret).toBe('bad_signature');
  }
  const inHex = sourceOf({ ...SVIX, signature: { ...SVIX.signature, secret_encoding: 'hex' } });
  expect(inHex.secretFault?.('0g')).toBe('must be hex');
  expect(sourceOf(STRIPE).secretFault?.('anything')).toBeUndefined();
});

const SORTED = {
  name: 'sorted',
  signature: { header: 'x-sig', algorithm: 'sha512', signs: '{sorted_body}' },
  type: { pointer: '/payment_status', names: { finished: 'payment_succeeded' }, others: 'ignored' },
  id: '/payment_id',
};
const UNSORTED = '{"payment_status":"finished","payment_id":5, "fee":{"paid":1.0,"in":"btc"}}';

function sorted(body: string, signed: string) {
  const mac = createHmac('sha512', SECRET).update(signed).digest('hex');
  return send(SORTED, { body, headers: { 'x-sig': mac } });
}

test('takes the body with its keys sorted, with numbers as sent or as JavaScript writes them', () => {
  for (const number of ['1.0', '1']) {
    const text = `{"fee":{"in":"btc","paid":${number}},"payment_id":5,"payment_status":"finished"}`;
    expect(notificationOf(sorted(UNSORTED, text)).type).toBe('payment_succeeded');
    expect(codeOf(sorted(UNSORTED, text.replace(number, '2')))).toBe('bad_signature');
  }
  expect(codeOf(sorted(UNSORTED, UNSORTED))).toBe('bad_signature');
});

test('refuses what cannot be sorted', () => {
  const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
  for (const body of ['', 'x', deep]) {
    expect(codeOf(sorted(body, body)), body.slice(0, 9)).toBe('bad_signature');
  }
});

test('types that are not listed are ignored if the configuration says so', () => {
  const body = '{"payment_id":5,"payment_status":"waiting"}';
  expect(codeOf(sorted(body, body))).toBe('ignored');
});

const FORM = {
  name: 'form',
  body: 'form',
  signature: { pointer: '/hashed_order', signs: '{id}' },
  type: { pointer: '/status' },
  id: '/id',
  payload: { amount: '/price' },
};

test('reads a form that has its HMAC in one of its fields', () => {
  const mac = hmacHex(SECRET, 'ch_1');
  const body = `id=ch_1&status=paid&price=2+000%20sat&hashed_order=${mac}`;
  expect(notificationOf(send(FORM, { body }))).toMatchObject({
    type: 'paid',
    payload: '{"amount":"2 000 sat","id":"ch_1","source":"form","type":"paid"}',
    duplicateOf: { key: '["form","paid","ch_1"]' },
  });
  for (const [wrong, code] of [
    [body.replace('ch_1', 'ch_2'), 'bad_signature'],
    [body.replace(mac, mac.slice(2)), 'bad_signature'],
    [body.replace(/&hashed.*/, ''), 'bad_signature'],
    [`${body}&id=ch_2`, 'bad_body'],
    [body.replace('id=ch_1', 'x=1'), 'bad_body'],
    ['', 'bad_body'],
  ] as const) {
    expect(codeOf(send(FORM, { body: wrong })), wrong).toBe(code);
  }
});

test('a form can be signed as a whole, too', () => {
  const config = { ...FORM, signature: { header: 'x-sig' } };
  const body = 'id=1&status=paid';
  const headers = { 'x-sig': hmacHex(SECRET, body) };
  expect(codeOf(send(config, { body, headers }))).toBe('notification');
  expect(codeOf(send(config, { body: `${body}&x=1`, headers }))).toBe('bad_signature');
});

test('a configuration must be able to check what it names', () => {
  const { id: _id, ...withoutId } = SVIX;
  const cases: readonly (readonly [unknown, readonly string[]])[] = [
    [
      { ...STRIPE, signature: { ...STRIPE.signature, header: undefined } },
      ['signature: needs either header or pointer'],
    ],
    [
      { ...FORM, signature: { ...FORM.signature, header: 'x-sig' } },
      ['signature: needs either header or pointer'],
    ],
    [
      { ...FORM, signature: { pointer: '/sig' } },
      ['signature.signs: must be {id}: a signature inside the body cannot sign that body'],
    ],
    [
      { ...SORTED, body: 'form' },
      ['signature.signs: must not hold {sorted_body}: only JSON has keys to sort'],
    ],
    [withoutId, ['id: is required, since {id} is signed']],
    [
      { ...STRIPE, id: { header: 'x-id' } },
      ['id: must be in the body, or {id} be in signature.signs: an unsigned header proves nothing'],
    ],
    [
      { ...STRIPE, signature: { ...STRIPE.signature, signs: '{body}{sorted_body}{timestamp}' } },
      ['signature.signs: must hold {body} or {sorted_body}, or {id} if the id alone is signed'],
    ],
  ];
  for (const [config, faults] of cases) expect(faultsOf(config)).toEqual(faults);
  for (const config of [STRIPE, SVIX, SORTED, FORM]) expect(faultsOf(config)).toEqual([]);
});

test('whatever is sent, a caller without the secret is refused, and no other error is thrown', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom(SECONDS, `t=${SECONDS},v1=00`, `t=${SECONDS},v1=${'0'.repeat(64)}`, 'v1,AAAA'),
  );
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom('id=1&hashed_order=00', `id=1&hashed_order=${'0'.repeat(64)}`, '__proto__=1'),
  );
  const names = ['x-signature', 'svix-signature', 'svix-timestamp', 'svix-id', 'x-sig'];
  const headers = fc.dictionary(fc.constantFrom(...names), value);
  fc.assert(
    fc.property(
      fc.constantFrom(STRIPE, SVIX, SORTED, FORM),
      headers,
      body,
      (config, given, text) => {
        const code = codeOf(send(config, { body: text, headers: given, secrets: [SECRET, WHSEC] }));
        expect(['bad_signature', 'stale_timestamp', 'bad_body']).toContain(code);
      },
    ),
    { numRuns: 1_000 },
  );
});
