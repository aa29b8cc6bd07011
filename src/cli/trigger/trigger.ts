// `nds trigger CALLER --url URL`: posts what a caller of nds would post, signed as that caller signs, and prints the
// answer.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, type Environment, readSettings } from '../../config/config.ts';
import { loadSources, type SignedSources } from '../../config/sources.ts';
import { DOMAIN_SOURCE } from '../../core/devices/doors.ts';
import { wrap } from '../../core/finding/wrap.ts';
import type { Context } from '../context.ts';
import { parseLoosely } from '../operate/loose-json.ts';
import { print } from '../print.ts';
import { ArgumentError, readStandardInput } from '../standard-input.ts';
import { randomEventId } from './breez-callers.ts';
import { type TriggerCall, type TriggerCaller, TriggerError } from './caller.ts';
import { findCaller } from './callers.ts';
import { type Posted, post } from './post.ts';

export interface TriggerOptions {
  /** `-`: the first line of standard input. */
  readonly url: string;
  readonly type?: string | undefined;
  /** A file, or `-` for standard input. */
  readonly secretFile?: string | undefined;
  /** The app whose secret in NDS_SOURCES is used. */
  readonly app: string;
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly json?: boolean;
}

const EVENT_ID = /^[0-9a-f]{64}$/i;

/** Returns 0 if the caller would count the answer as success, else 1. */
export async function trigger(
  name: string,
  options: TriggerOptions,
  { environment, clock }: Context,
): Promise<number> {
  const sources = () => sourcesOf(environment);
  const caller = findCaller(name, sources);
  if (options.url === '-' && options.secretFile === '-') {
    throw new ArgumentError('only one of URL and secret can come from standard input');
  }
  const url = parseUrl(options.url === '-' ? await readStandardInput() : options.url);
  const secret = await secretFor(caller, { options, url, sources });
  const call = caller.call({
    type: typeOf(caller, options.type),
    secret,
    id: idOf(options.id),
    nowMs: clock.wallMs(),
    user: options.user,
  });
  const posted = await post(url, call, clock);
  const succeeded = caller.succeeds === 'any 2xx' ? isSuccess(posted) : posted.status === 200;
  if (options.json) print(`${JSON.stringify(inJson(name, call, { posted, succeeded }))}\n`);
  else print(inWords(name, call, { posted, succeeded, origin: url.origin }));
  return succeeded ? 0 : 1;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new ArgumentError('--url must be the http or https URL that the caller would be given');
}

function typeOf({ types, anyType }: TriggerCaller, wanted: string | undefined): string {
  const [usual = ''] = types;
  if (wanted === undefined || anyType || types.includes(wanted)) return wanted ?? usual;
  throw new ArgumentError(`--type must be one of ${types.join(', ')}`);
}

function idOf(wanted: string | undefined): string {
  if (wanted === undefined) return randomEventId();
  if (EVENT_ID.test(wanted)) return wanted.toLowerCase();
  throw new ArgumentError('--id must be 64 hex digits, such as a payment hash');
}

async function secretFor(
  { secret: needed, source }: TriggerCaller,
  given: {
    readonly options: TriggerOptions;
    readonly url: URL;
    readonly sources: () => SignedSources;
  },
): Promise<string> {
  const { secretFile, app } = given.options;
  if (needed === undefined) return '';
  if (secretFile === '-') return await readStandardInput();
  if (secretFile !== undefined) return readSecretFile(secretFile);
  if (needed === 'optional' || source === undefined) return '';
  const { domains, secretsOf } = given.sources();
  const domain = given.url.pathname.split('/').at(-1) ?? '';
  const known = source === DOMAIN_SOURCE ? domains.get(domain)?.secrets : secretsOf(app, source);
  const [first] = known ?? [];
  if (first !== undefined) return first;
  throw new ArgumentError(
    'this caller signs: give its secret by --secret-file FILE (- for standard input); ' +
      `NDS_SOURCES has none for ${source}`,
  );
}

function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new TriggerError(`the file of --secret-file cannot be read (${code})`);
  }
}

function sourcesOf(environment: Environment): SignedSources {
  const faults: string[] = [];
  const sources = loadSources(readSettings(environment).values, faults, { apps: [] });
  if (faults.length > 0) throw new ConfigError(faults);
  return sources;
}

function isSuccess({ status }: Posted): boolean {
  return status >= 200 && status < 300;
}

interface Result {
  readonly posted: Posted;
  readonly succeeded: boolean;
}

function inJson(caller: string, { subject, note }: TriggerCall, { posted, succeeded }: Result) {
  const { status, afterMs, deliveryId, deliveryStatus } = posted;
  return {
    caller,
    subject,
    note,
    status,
    after_ms: afterMs,
    delivery_id: deliveryId,
    delivery_status: deliveryStatus,
    problem: problemOf(posted),
    succeeded,
  };
}

/** The URL is a secret, so only its origin is shown. */
function inWords(
  caller: string,
  { subject, note }: TriggerCall,
  { posted, succeeded, origin }: Result & { readonly origin: string },
): string {
  const { status, afterMs, deliveryId, deliveryStatus } = posted;
  const problem = problemOf(posted);
  const told = deliveryStatus ?? problem?.code ?? (isSuccess(posted) ? 'a reply' : 'refused');
  // A call that was refused before its body was read is in the log by its request alone.
  const known = problem?.request_id ?? subject ?? deliveryId;
  const lines = [
    `${caller} → ${origin}`,
    `${status} ${told} after ${afterMs} ms`,
    ...(problem?.detail === undefined ? [] : [problem.detail]),
    `${caller} takes this for a ${succeeded ? 'success' : 'failure'}.`,
    ...(note === undefined ? [] : [note]),
    ...(known === undefined ? [] : [`nds find ${known}`]),
  ];
  return lines.map((line) => `${wrap(line, 2)}\n`).join('');
}

const problem = z.looseObject({
  code: z.string(),
  detail: z.string().optional(),
  instance: z.string().optional(),
});

/** The service may not be nds, so its answer may be anything. */
function problemOf({ status, body }: Posted) {
  if (status < 400) return undefined;
  const parsed = problem.safeParse(parseLoosely(body));
  if (!parsed.success) return undefined;
  const { code, detail, instance } = parsed.data;
  return { code, detail, request_id: instance?.replace(/^urn:uuid:/, '') };
}
