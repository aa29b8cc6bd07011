// Requests to every door: valid, nearly valid, and completely wrong. `requests` are framed as HTTP demands, whatever
// their content; `brokenRequests` have a wrong framing.

import fc from '../support/properties.ts';
import { bodies } from './bodies.ts';
import { IOS_MARKER_TOKEN, MARKER } from './marker.ts';

export interface FuzzRequest {
  readonly bytes: Buffer;
  readonly method: string;
  /**
   * Whether the service may close without an answer: if it does not read the whole request, or the bytes are not a
   * request.
   */
  readonly mayClose: boolean;
}

/** What a run can use: paths that exist, complete calls with valid signatures, valid keys. */
export interface Targets {
  readonly paths: readonly string[];
  readonly calls: readonly WholeCall[];
  readonly keys: readonly string[];
}

export interface WholeCall {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const CLIENT_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
const method = fc.oneof(
  { weight: 12, arbitrary: fc.constant('POST') },
  { weight: 4, arbitrary: fc.constantFrom(...CLIENT_METHODS) },
);

const GARBAGE = [
  ...['/', '//', '/.', '/..', '/../', '/%2e%2e/', '/%2F', '%', '%2', '%zz', '%00', '%ff', '%C3%28'],
  ...['?', '#', ';', '\\', '/*', '/api', '/API/V1/NOTIFY', '/favicon.ico', '/..%5c', '\u00fc'],
  ...[`/${MARKER}`, `/${'a/'.repeat(60)}`, '/__proto__', '/constructor', '/:handle', '/%7Bx%7D'],
];

/** A path, often with something added before, inside or after it. */
function pathsNear(paths: readonly string[]): fc.Arbitrary<string> {
  const known = fc.constantFrom(...paths);
  const near = fc
    .record({ path: known, at: fc.nat(60), cut: fc.nat(3), piece: fc.constantFrom(...GARBAGE) })
    .map(({ path, at, cut, piece }) => {
      const from = at % (path.length + 1);
      const changed = path.slice(0, from) + piece + path.slice(from + cut);
      return changed.startsWith('/') ? changed : `/${changed}`;
    });
  return fc.oneof(
    { weight: 10, arbitrary: known },
    { weight: 4, arbitrary: near },
    { weight: 1, arbitrary: fc.constantFrom(...GARBAGE).map((piece) => `/${piece}`) },
  );
}

const value = fc.oneof(
  fc.constantFrom('ios', 'android', 'default', MARKER, '', '%', '%zz', '%ff', '+', '%00', '%F0%9F'),
  fc.string({ maxLength: 20 }).map((text) => encodeURIComponent(text)),
);
const parameter = fc
  .tuple(fc.constantFrom('platform', 'token', 'app_data', 'app', 'user', '%74oken', '', 'x'), value)
  .map(([name, text]) => `${name}=${text}`);
const goodQuery = fc
  .tuple(fc.constantFrom('ios', 'android'), fc.nat(40))
  .map(([platform, phone]) =>
    platform === 'ios'
      ? `platform=ios&token=${IOS_MARKER_TOKEN.slice(0, 60)}${String(phone).padStart(4, '0')}`
      : `platform=android&token=${MARKER}-${phone}%3AAPA91bFuzz&app_data=${MARKER}`,
  );
const query = fc.oneof(
  { weight: 6, arbitrary: goodQuery },
  { weight: 3, arbitrary: fc.array(parameter, { maxLength: 6 }).map((all) => all.join('&')) },
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.tuple(parameter, goodQuery).map((both) => both.join('&')) },
);

const SIGNATURES = [
  'x-signature',
  'PaymentFlow-Signature',
  'Payment-Signature',
  'X-Spark-Signature',
  'x-lsps5-signature',
  'x-lsps5-timestamp',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'X-Breez-Signature',
];

/** One header line; its value may contain every byte that HTTP allows there. */
function headerLines(keys: readonly string[]): fc.Arbitrary<string> {
  const odd = fc.string({
    unit: fc
      .integer({ min: 33, max: 255 })
      .map((code) => String.fromCharCode(code === 127 ? 126 : code)),
    maxLength: 40,
  });
  const signature = fc
    .tuple(
      fc.constantFrom(...SIGNATURES),
      fc.oneof(odd, fc.constantFrom(MARKER, 'v1,', '0', `${MARKER},`.repeat(30))),
    )
    .map(([name, text]) => `${name}: ${text}`);
  const fixed = fc.constantFrom(
    'Content-Type: application/json',
    'Content-Type: text/plain; charset=utf-16',
    `Content-Type: multipart/form-data; boundary=${MARKER}`,
    'Content-Encoding: gzip',
    'Accept: image/*',
    'Accept: application/json',
    'Expect: 100-continue',
    'Upgrade: websocket',
    'Connection: close',
    'Connection: Upgrade',
    'Cookie: a=b',
    `X-Forwarded-For: ${MARKER}`,
    'Fly-Client-IP: 192.0.2.7',
    `Fly-Client-IP: ${MARKER}`,
    `X-Huge: ${'x'.repeat(7_000)}`,
  );
  const authorization = fc
    .oneof(
      fc.constantFrom(...keys.map((key) => `Bearer ${key}`)),
      fc.constantFrom('Bearer', `Basic ${MARKER}`, `Bearer ${MARKER}`),
    )
    .map((text) => `Authorization: ${text}`);
  return fc.oneof(
    { weight: 3, arbitrary: signature },
    { weight: 3, arbitrary: fixed },
    { weight: 4, arbitrary: authorization },
    { weight: 1, arbitrary: odd.map((text) => `X-Odd: ${text}`) },
  );
}

function frame(
  body: Buffer,
  isChunked: boolean,
): { readonly line: string; readonly bytes: Buffer } {
  if (!isChunked) return { line: `Content-Length: ${body.length}`, bytes: body };
  const half = Math.ceil(body.length / 2);
  const chunks = [body.subarray(0, half), body.subarray(half)]
    .filter(({ length }) => length > 0)
    .map((chunk) => Buffer.concat([text(`${chunk.length.toString(16)}\r\n`), chunk, text('\r\n')]));
  return {
    line: 'Transfer-Encoding: chunked',
    bytes: Buffer.concat([...chunks, text('0\r\n\r\n')]),
  };
}

const MAX_BODY_BYTES = 65_536;
const MAX_HEAD_BYTES = 15_000;
const text = (latin1: string) => Buffer.from(latin1, 'latin1');

function requestOf(from: {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly string[];
  readonly body: Buffer;
  readonly isChunked: boolean;
}): FuzzRequest {
  const { method: name, target, lines, body } = from;
  const framed = frame(body, from.isChunked);
  // A space would end the target, and what follows it would not be a version.
  const line = `${name} ${target.replaceAll(' ', '%20')} HTTP/1.1`;
  const head = text([line, 'Host: nds.example.com', ...lines, framed.line, '', ''].join('\r\n'));
  const mayClose = body.length > MAX_BODY_BYTES || head.length > MAX_HEAD_BYTES;
  return { bytes: Buffer.concat([head, framed.bytes]), method: name, mayClose };
}

/** Requests framed as HTTP demands. */
export function requests({ paths, calls, keys }: Targets): fc.Arbitrary<FuzzRequest> {
  const lines = fc.array(headerLines(keys), { maxLength: 4 });
  const isChunked = fc.nat(9).map((number) => number === 0);
  const path = pathsNear(paths);
  const target = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(path, query).map(([to, what]) => `${to}?${what}`) },
    { weight: 2, arbitrary: goodQuery.map((what) => `/api/v1/notify?${what}`) },
    { weight: 3, arbitrary: path },
  );
  const made = fc.record({ method, target, lines, body: bodies, isChunked }).map(requestOf);
  const whole = fc
    .record({ call: fc.constantFrom(...calls), lines, isChunked, flaw: fc.nat(5), body: bodies })
    .map(({ call, lines: more, isChunked: inChunks, flaw, body }) => {
      const signed = Object.entries(call.headers).map(([name, what]) => `${name}: ${what}`);
      return requestOf({
        method: 'POST',
        target: call.path,
        lines: flaw === 0 ? [...more, ...signed] : signed,
        body: flaw === 1 ? body : Buffer.from(call.body),
        isChunked: inChunks,
      });
    });
  return fc.oneof({ weight: 9, arbitrary: made }, { weight: 1, arbitrary: whole });
}

const FRAMING_LIES = [
  'Content-Length: 5',
  'Content-Length: 99999',
  'Content-Length: -1',
  'Content-Length: 1e3',
  `Content-Length: ${MARKER}`,
  'Content-Length: 3\r\nContent-Length: 4',
  'Content-Length: 3\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  `Transfer-Encoding: ${MARKER}`,
  `X: ${'x'.repeat(40_000)}`,
  `: ${MARKER}`,
  `X\u0000: ${MARKER}`,
  ` folded: ${MARKER}`,
  'Host: a\r\nHost: b',
  'Expect: miracles',
];

/** Bytes that no client should send; each goes out on a connection of its own. */
export function brokenRequests({ paths }: Pick<Targets, 'paths'>): fc.Arbitrary<FuzzRequest> {
  const line = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('POST', 'GET', 'CONNECT', 'BREW', ''),
        fc.constantFrom(...paths, '*', 'http://[::', `//${MARKER}`, ''),
      )
      .map(([name, path]) => `${name} ${path} HTTP/1.1`),
    fc.constantFrom(
      `POST /notify HTTP/9.9`,
      'POST /notify',
      'PRI * HTTP/2.0',
      '\u0016\u0003\u0001',
      MARKER,
    ),
  );
  const end = fc.constantFrom('\r\n\r\n', '\r\n\r\n', '\n\n', '\r\n', '');
  return fc
    .record({ line, lie: fc.constantFrom(...FRAMING_LIES), end, body: bodies, cut: fc.nat(400) })
    .map(({ line: first, lie, end: ending, body, cut }) => {
      const whole = Buffer.concat([text(`${first}\r\nHost: a\r\n${lie}${ending}`), body]);
      const bytes = cut < 100 ? whole.subarray(0, cut) : whole;
      return { bytes, method: 'POST', mayClose: true };
    });
}
