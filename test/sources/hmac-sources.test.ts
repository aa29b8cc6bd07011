// What holds for every source with an HMAC in a header, whatever its bodies are.

import { expect, test } from 'vitest';
import type { Source } from '../../src/core/ports/source.ts';
import { paymentApi, paymentflow } from '../../src/sources/payment-events.ts';
import { resmic } from '../../src/sources/resmic.ts';
import { sparkPaymentReceived } from '../../src/sources/spark-payment-received.ts';
import { sparkSsp } from '../../src/sources/spark-ssp.ts';
import fc from '../support/properties.ts';
import { type Call, call, codeOf, credentials, hmacHex, requestOf } from './calls.ts';

const SECRET = 'correct horse';

interface Scheme {
  readonly source: Source;
  readonly header: string;
  /** The source may have signed JSON.stringify of the parsed body. */
  readonly isSerialised: boolean;
}

const SCHEMES: readonly Scheme[] = [
  { source: sparkSsp, header: 'x-spark-signature', isSerialised: false },
  { source: sparkPaymentReceived, header: 'x-breez-signature', isSerialised: false },
  { source: resmic, header: 'x-signature', isSerialised: true },
  { source: paymentflow, header: 'paymentflow-signature', isSerialised: true },
  { source: paymentApi, header: 'payment-signature', isSerialised: true },
];
const named = SCHEMES.map((scheme) => [scheme.source.name, scheme] as const);
/** Never closed, deeper than a parser takes, and deeper than JSON.stringify can write. */
const DEEP = ['['.repeat(60_000), nested(30_000), nested(9_999)];
const BODY = '{"type":"x","template":"x","session_id":"s","status":true}';

function authenticate({ source }: Scheme, request: Call, secrets: readonly string[] = [SECRET]) {
  const code = codeOf(call(source, requestOf(request), credentials({ secrets })));
  return code === 'bad_signature' ? 'refused' : 'believed';
}

test.each(named)('%s: accepts only its own header', (_name, scheme) => {
  const signature = hmacHex(SECRET, BODY);
  for (const { header } of SCHEMES) {
    const expected = header === scheme.header ? 'believed' : 'refused';
    expect(authenticate(scheme, { headers: { [header]: signature }, body: BODY })).toBe(expected);
  }
  expect(authenticate(scheme, { body: BODY })).toBe('refused');
});

test.each(named)('%s: reads hex in either case and nothing else', (_name, scheme) => {
  const signature = hmacHex(SECRET, BODY);
  const given = (value: string) =>
    authenticate(scheme, { headers: { [scheme.header]: value }, body: BODY });
  expect(given(signature.toUpperCase())).toBe('believed');
  const wrong = [
    '',
    signature.slice(2),
    signature.slice(1),
    `${signature}00`,
    `${signature}, ${signature}`,
    `sha256=${signature}`,
    `0x${signature}`,
    ` ${signature}`,
    signature.replace(/.$/, 'g'),
    Buffer.from(signature, 'hex').toString('base64'),
    'z'.repeat(64),
    '\u0661'.repeat(64),
  ];
  for (const value of wrong) expect(given(value), value).toBe('refused');
});

test.each(named)('%s: one of several secrets is enough; an empty one is none', (_name, scheme) => {
  const headers = { [scheme.header]: hmacHex(SECRET, BODY) };
  expect(authenticate(scheme, { headers, body: BODY }, ['old', SECRET, 'new'])).toBe('believed');
  expect(authenticate(scheme, { headers, body: BODY }, ['old', 'new'])).toBe('refused');
  expect(authenticate(scheme, { headers, body: BODY }, [])).toBe('refused');
  const forged = { [scheme.header]: hmacHex('', BODY) };
  expect(authenticate(scheme, { headers: forged, body: BODY }, [''])).toBe('refused');
});

test.each(named)('%s: reads no body before the signature is verified', (_name, scheme) => {
  for (const body of ['not json', '', '\ufeff{}', Buffer.from([0xff]), ...DEEP]) {
    const forged = { [scheme.header]: hmacHex('other', body) };
    const own = { [scheme.header]: hmacHex(SECRET, body) };
    expect(authenticate(scheme, { headers: forged, body })).toBe('refused');
    expect(codeOf(call(scheme.source, requestOf({ headers: own, body }), known()))).toBe(
      'bad_body',
    );
  }
});

test.each(named)('%s: refuses every change of the decoded signature', (_name, scheme) => {
  const good = Buffer.from(hmacHex(SECRET, BODY), 'hex');
  fc.assert(
    fc.property(fc.nat(31), fc.integer({ min: 1, max: 255 }), (index, mask) => {
      const changed = Buffer.from(good);
      changed[index] = (changed[index] ?? 0) ^ mask;
      const headers = { [scheme.header]: changed.toString('hex') };
      expect(authenticate(scheme, { headers, body: BODY })).toBe('refused');
    }),
  );
});

test.each(named)('%s: refuses every other secret', (_name, scheme) => {
  fc.assert(
    fc.property(fc.string(), (secret) => {
      fc.pre(secret !== SECRET);
      const headers = { [scheme.header]: hmacHex(secret, BODY) };
      expect(authenticate(scheme, { headers, body: BODY })).toBe('refused');
    }),
  );
});

test.each(named)('%s: refuses every change of what was signed', (_name, scheme) => {
  const headers = { [scheme.header]: hmacHex(SECRET, BODY) };
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
      expect(authenticate(scheme, { headers, body })).toBe('refused');
    }),
  );
});

test.each(named)(
  '%s: other white space makes another body, unless the source may sign the values',
  (_name, scheme) => {
    const signature = hmacHex(SECRET, BODY);
    const headers = { [scheme.header]: signature };
    const pretty = JSON.stringify(JSON.parse(BODY), null, 2);
    const expected = scheme.isSerialised ? 'believed' : 'refused';
    for (const body of [pretty, `${BODY}\n`, ` ${BODY}`]) {
      expect(authenticate(scheme, { headers, body })).toBe(expected);
      const overBytes = { [scheme.header]: hmacHex(SECRET, body) };
      expect(authenticate(scheme, { headers: overBytes, body })).toBe('believed');
    }
  },
);

const serialised = named.filter(([, { isSerialised }]) => isSerialised);

test.each(serialised)(
  '%s: refuses every change of a parsed value under the values’ signature',
  (_name, scheme) => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (signed, sent) => {
        // -0 is written as 0: the same value for a JavaScript sender.
        fc.pre(JSON.stringify(signed) !== JSON.stringify(sent));
        const headers = { [scheme.header]: hmacHex(SECRET, JSON.stringify(signed)) };
        const body = JSON.stringify(sent, null, 1);
        expect(authenticate(scheme, { headers, body })).toBe('refused');
        const same = JSON.stringify(signed, null, 1);
        expect(authenticate(scheme, { headers, body: same })).toBe('believed');
      }),
    );
  },
);

function nested(depth: number): string {
  return `${'['.repeat(depth)}${']'.repeat(depth)}`;
}

function known() {
  return credentials({ secrets: [SECRET] });
}
