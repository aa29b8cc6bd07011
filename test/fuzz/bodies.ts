// Bodies as callers, careless programs and attackers write them: valid ones, valid ones with a changed part, any JSON,
// any bytes.

import { DEMO_CALLS } from '../../sandbox/demo/calls.ts';
import fc, { anyText } from '../support/properties.ts';
import { MARKER } from './marker.ts';

/** So few that what the service remembers about them is limited; otherwise a leak would not show. */
const subject = fc.nat(300).map((number) => `${MARKER}-${number}`);

const payment = subject.map((hash) =>
  JSON.stringify({ template: 'payment_received', data: { payment_hash: hash } }),
);
const swap = fc
  .tuple(subject, fc.constantFrom('transaction.mempool', MARKER))
  .map(([id, status]) => JSON.stringify({ event: 'swap.update', data: { id, status } }));
const invoiceRequest = subject.map((request) =>
  JSON.stringify({ event: 'invoice.request', data: { offer: MARKER, invoiceRequest: request } }),
);
const device = fc
  .record(
    {
      platform: fc.constantFrom('ios', 'android', 'windows'),
      token: fc.constantFrom(`${MARKER}:APA91bFuzz`, 'ab'.repeat(32), '', 'x'.repeat(5_000)),
      user: subject,
      app_data: anyText({ maxLength: 20 }).map((text) => MARKER + text),
      locale: fc.constantFrom('de-CH', 'xx-', MARKER),
      secrets: fc.constantFrom({ resmic: [MARKER] }, { nothing: [MARKER] }, [], null),
      urls: fc.jsonValue({ maxDepth: 1 }),
    },
    { requiredKeys: ['platform'] },
  )
  .map((fields) => JSON.stringify(fields));
const signed = fc.constantFrom(
  `{"jsonrpc":"2.0","method":"lsps5.payment_incoming","params":{"x":"${MARKER}"}}`,
  `{"success":true,"transaction":{"reference":"${MARKER}","status":"success"}}`,
  `{"session_id":"${MARKER}","status":true,"amount":"20","token":"DAI"}`,
);

const valid = fc.oneof(
  { weight: 4, arbitrary: payment },
  { weight: 2, arbitrary: swap },
  { weight: 1, arbitrary: invoiceRequest },
  { weight: 2, arbitrary: device },
  { weight: 2, arbitrary: signed },
  { weight: 2, arbitrary: fc.constantFrom(...DEMO_CALLS.map(({ body }) => body)) },
);

const PIECES = [
  ...['', '"', '\\', '\\ud800', '\\u0000', '{', '}', '[', ']', ',', ':', 'null', 'true', '0'],
  ...['-0', '1e999', '18446744073709551616', '1.0000000000000001', '9'.repeat(400), '__proto__'],
  ...['constructor', '\ufeff', '\u0000', '\u2028', '💥', '\ud800', MARKER, 'x'.repeat(4_000)],
];

/** A valid body in which a part is replaced by something else. */
const mutated = fc
  .record({
    body: valid,
    at: fc.nat(200),
    length: fc.nat(12),
    piece: fc.constantFrom(...PIECES),
  })
  .map(({ body, at, length, piece }) => {
    const from = at % (body.length + 1);
    return body.slice(0, from) + piece + body.slice(from + length);
  });

const NESTED = [
  '['.repeat(30_000),
  '['.repeat(5_000) + ']'.repeat(5_000),
  `${'{"data":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  `{"template":"payment_received","data":{"payment_hash":${'['.repeat(2_000)}${']'.repeat(2_000)}}}`,
];

const text = (body: string) => Buffer.from(body, 'utf8');

/** UTF-16, a byte-order mark, bytes that are not text, more than the service takes. */
const odd = fc.oneof(
  valid.map((body) => Buffer.from(body, 'utf16le')),
  valid.map((body) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text(body)])),
  valid.map((body) => Buffer.from(`${body}\u00ff`, 'latin1')),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  anyText({ maxLength: 200 }).map(text),
);

const huge = fc.constantFrom(
  ...[65_535, 65_536, 65_537, 90_000].map((length) => Buffer.alloc(length, '{"a":')),
  ...NESTED.map(text),
);

export const bodies: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 60, arbitrary: valid.map(text) },
  { weight: 80, arbitrary: mutated.map(text) },
  {
    weight: 20,
    arbitrary: fc.jsonValue({ maxDepth: 3 }).map((json) => text(JSON.stringify(json))),
  },
  { weight: 25, arbitrary: odd },
  { weight: 10, arbitrary: fc.constant(Buffer.alloc(0)) },
  { weight: 1, arbitrary: huge },
);
