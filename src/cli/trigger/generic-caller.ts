// A caller of a generic source, made from the configuration that describes how its calls are read.

import { createHmac } from 'node:crypto';
import type { GenericConfig } from '../../sources/generic-config.ts';
import { parseExactJson, sortedJson } from '../../sources/json.ts';
import { decodeSecret } from '../../sources/signatures/encoding.ts';
import { type CallOptions, type TriggerCall, type TriggerCaller, TriggerError } from './caller.ts';

type Fields = Record<string, unknown>;

const FORM_TYPE = 'application/x-www-form-urlencoded';

export function genericCaller(config: GenericConfig): TriggerCaller {
  const named = Object.keys(config.type.names);
  return {
    types: named.length > 0 ? named : ['payment.succeeded'],
    anyType: true,
    source: config.name,
    secret: 'required',
    succeeds: 'any 2xx',
    call: (options) => callOf(config, options),
  };
}

function callOf(config: GenericConfig, options: CallOptions): TriggerCall {
  const { signature, timestamp, subject, title } = config;
  const { id, nowMs } = options;
  const fields: Fields = {};
  for (const pointer of Object.values(config.payload)) put(fields, pointer, 'trigger');
  if (title !== undefined && 'pointer' in title) put(fields, title.pointer, 'Test');
  put(fields, config.type.pointer, options.type);
  if (subject !== undefined) put(fields, subject, id);
  if (typeof config.id === 'string') put(fields, config.id, id);
  const divisor = timestamp?.unit === 'milliseconds' ? 1 : 1_000;
  const time = String(Math.floor(nowMs / divisor));
  const sign = (body: string) => signatureOf(config, { secret: options.secret, body, time, id });
  // The signature covers only the id, so the body may still be incomplete.
  if (signature.pointer !== undefined) put(fields, signature.pointer, sign(''));
  const body = bodyOf(config, fields);
  const headers: Record<string, string> = {
    'content-type': config.body === 'form' ? FORM_TYPE : 'application/json',
  };
  if (typeof config.id === 'object') headers[config.id.header] = id;
  if (timestamp !== undefined) headers[timestamp.header] = `${timestamp.prefix}${time}`;
  if (signature.header !== undefined) {
    const before = headers[signature.header];
    const entry = sign(body);
    // Time and signature may share a header: `t=…,v1=…`.
    headers[signature.header] =
      before === undefined ? entry : `${before}${signature.separator ?? ','}${entry}`;
  }
  return { headers, body, subject: id };
}

function signatureOf(
  { signature, body: form }: GenericConfig,
  given: { readonly secret: string; readonly body: string; time: string; readonly id: string },
): string {
  const { algorithm, encoding, prefix, secret_encoding: written, signs } = signature;
  const { body, time, id } = given;
  const key = decodeSecret(given.secret, written);
  if (key === undefined) throw new TriggerError(`the secret must be ${written}`);
  const sorted = form === 'json' && body !== '' ? sortedJson(parseExactJson(body)) : '';
  const parts: Readonly<Record<string, string>> = {
    '{body}': body,
    '{sorted_body}': sorted,
    '{timestamp}': time,
    '{id}': id,
  };
  const signed = signs.replaceAll(/\{[a-z_]+\}/g, (name) => parts[name] ?? name);
  return `${prefix}${createHmac(algorithm, key).update(signed).digest(encoding)}`;
}

function bodyOf({ body }: GenericConfig, fields: Fields): string {
  if (body === 'json') return JSON.stringify(fields);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  return form.toString();
}

/** Creates missing objects along the path (RFC 6901). */
function put(fields: Fields, pointer: string, value: string): void {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  let place = fields;
  for (const name of names.slice(0, -1)) {
    const next = place[name];
    const inner: Fields = isFields(next) ? next : {};
    place[name] = inner;
    place = inner;
  }
  const last = names.at(-1);
  if (last !== undefined) place[last] = value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
