// Signatures made by other implementations: the reference library of Standard Webhooks, and Python's hmac and json for
// the HMAC sources.

import { spawnSync } from 'node:child_process';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import type { Source } from '../../src/core/ports/source.ts';
import { createGeneric } from '../../src/sources/generic.ts';
import { genericConfig } from '../../src/sources/generic-config.ts';
import { paymentApi, paymentflow } from '../../src/sources/payment-events.ts';
import { resmic } from '../../src/sources/resmic.ts';
import { sparkPaymentReceived } from '../../src/sources/spark-payment-received.ts';
import { sparkSsp } from '../../src/sources/spark-ssp.ts';
import { standardWebhooks } from '../../src/sources/standard-webhooks.ts';
import fc from '../support/properties.ts';
import { call, codeOf, credentials, NOW_MS, requestOf } from './calls.ts';

const SECONDS = String(NOW_MS / 1_000);

const secret = fc
  .uint8Array({ minLength: 24, maxLength: 64 })
  .map((bytes) => `whsec_${Buffer.from(bytes).toString('base64')}`);
const id = fc.stringMatching(/^[A-Za-z0-9_]{1,40}$/);
/** JSON as a sender may write it, with its white space and in any language. */
const event = fc
  .record({ type: fc.constant('a.b'), data: fc.jsonValue({ maxDepth: 3 }) })
  .chain((value) => fc.constantFrom(JSON.stringify(value), JSON.stringify(value, null, 2)));

interface Signed {
  readonly id: string;
  readonly body: string;
  readonly signature: string;
}

function believes(
  { id: webhookId, body, signature }: Signed,
  {
    secrets,
    prefix = 'webhook-',
  }: { readonly secrets: readonly string[]; readonly prefix?: string },
): boolean {
  const headers = {
    [`${prefix}id`]: webhookId,
    [`${prefix}timestamp`]: SECONDS,
    [`${prefix}signature`]: signature,
  };
  const result = call(standardWebhooks, requestOf({ headers, body }), credentials({ secrets }));
  return codeOf(result) !== 'bad_signature';
}

test('accepts what the reference library of Standard Webhooks signs, with either set of names', () => {
  fc.assert(
    fc.property(secret, id, event, (key, webhookId, body) => {
      const signature = new Webhook(key).sign(webhookId, new Date(NOW_MS), body);
      const signed = { id: webhookId, body, signature };
      expect(believes(signed, { secrets: [key] })).toBe(true);
      expect(believes(signed, { secrets: [key], prefix: 'svix-' })).toBe(true);
      expect(believes({ ...signed, body: `${body} ` }, { secrets: [key] })).toBe(false);
      expect(believes({ ...signed, id: `${webhookId}x` }, { secrets: [key] })).toBe(false);
    }),
  );
});

test('accepts it through a rotation: two signatures, or two keys, of which one is common', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(secret, { minLength: 3, maxLength: 3 }),
      id,
      event,
      ([old = '', current = '', next = ''], webhookId, body) => {
        const signatureOf = (key: string) =>
          new Webhook(key).sign(webhookId, new Date(NOW_MS), body);
        const both = `${signatureOf(old)} ${signatureOf(current)}`;
        const signed = { id: webhookId, body, signature: both };
        expect(believes(signed, { secrets: [old] })).toBe(true);
        expect(believes(signed, { secrets: [current] })).toBe(true);
        expect(believes(signed, { secrets: [next, current] })).toBe(true);
        expect(believes(signed, { secrets: [next] })).toBe(false);
      },
    ),
  );
});

const PYTHON = `
import base64, hashlib, hmac, json, sys
given = json.load(sys.stdin)
body = given["body"].encode()
def sign(key, message, algorithm="sha256"):
    return hmac.new(key, message, algorithm)
secret = given["secret"].encode()
stamped = given["time"].encode() + b"." + body
in_order = json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
raw_key = base64.b64decode(given["base64_secret"])
print(json.dumps({
    "plain": sign(secret, body).hexdigest(),
    "stamped": sign(secret, stamped).hexdigest(),
    "sorted": sign(secret, in_order.encode(), "sha512").hexdigest(),
    "id": sign(secret, given["id"].encode()).hexdigest(),
    "svix": base64.b64encode(sign(raw_key, given["id"].encode() + b"." + stamped).digest()).decode(),
}))
`;
const hasPython = spawnSync('python3', ['--version']).status === 0;

const SECRET = 'correct horse, ✓';
const BASE64_SECRET = Buffer.alloc(32, 7).toString('base64');
const ID = 'msg_1';
const BODY =
  '{"type":"payment.succeeded", "id":"evt_1","z":{"b":1.5,"a":[3,{"y":"ü","x":null}]},"A":12345678901234567890}';

function signInPython(): Readonly<Record<string, string>> {
  const input = { body: BODY, secret: SECRET, base64_secret: BASE64_SECRET, id: ID, time: SECONDS };
  const { stdout, stderr } = spawnSync('python3', ['-c', PYTHON], {
    input: JSON.stringify(input),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

function generic(config: object): Source {
  const type = { pointer: '/type' };
  return createGeneric(genericConfig.parse({ name: 'acme', type, id: '/id', ...config }));
}

test.skipIf(!hasPython)('accepts what Python signs, in every form', () => {
  const made = signInPython();
  const header = 'x-signature';
  const cases: readonly (readonly [Source, Readonly<Record<string, string | undefined>>])[] = [
    [sparkSsp, { 'x-spark-signature': made.plain }],
    [sparkPaymentReceived, { 'x-breez-signature': made.plain }],
    [resmic, { [header]: made.plain }],
    [paymentflow, { 'paymentflow-signature': made.plain }],
    [paymentApi, { 'payment-signature': made.plain }],
    [generic({ signature: { header } }), { [header]: made.plain }],
    [
      generic({
        signature: { header, separator: ',', prefix: 'v1=', signs: '{timestamp}.{body}' },
        timestamp: { header, separator: ',', prefix: 't=' },
      }),
      { [header]: `t=${SECONDS},v1=${made.stamped}` },
    ],
    [
      generic({ signature: { header, algorithm: 'sha512', signs: '{sorted_body}' } }),
      { [header]: made.sorted },
    ],
    [
      generic({ signature: { header, signs: '{id}' }, id: { header: 'x-id' } }),
      { [header]: made.id, 'x-id': ID },
    ],
    [
      generic({
        signature: {
          header,
          encoding: 'base64',
          secret_encoding: 'base64',
          signs: '{id}.{timestamp}.{body}',
        },
        timestamp: { header: 'x-time' },
        id: { header: 'x-id' },
      }),
      { [header]: made.svix, 'x-id': ID, 'x-time': SECONDS },
    ],
  ];
  for (const [source, headers] of cases) {
    const given = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value ?? '']),
    );
    const request = requestOf({ headers: given, body: BODY });
    const known = credentials({ secrets: [SECRET, BASE64_SECRET] });
    const name = `${source.name} ${JSON.stringify(headers)}`;
    expect(codeOf(call(source, request, known)), name).not.toMatch(/signature|timestamp/);
    const other = requestOf({ headers: given, body: `${BODY.slice(0, -1)},"x":1}` });
    const isIdAlone = headers[header] === made.id;
    expect(codeOf(call(source, other, known)) === 'bad_signature', name).toBe(!isIdAlone);
  }
});
