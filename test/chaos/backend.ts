// The vendor's backend of a service that is killed, and the check of what it got: every event of the table, in the
// table's order and signed, repeats allowed; nothing else; and one event for each end in the log.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { Webhook } from 'standardwebhooks';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { faultOfEvent } from '../support/described-events.ts';

const BACKEND_PROCESS = fileURLToPath(new URL('./backend-process.ts', import.meta.url));
const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

const callSchema = z.object({ headers: z.record(z.string(), z.string()), raw: z.string() });
const bodySchema = z.object({
  type: z.string(),
  data: z.looseObject({
    delivery_id: z.string().optional(),
    reason: z.string().optional(),
    token_sha256: z.string().optional(),
  }),
});
const eventSchema = z.object({
  id: z.string(),
  type: z.string(),
  delivery_id: z.string().nullable(),
  reason: z.string().nullable(),
  token_sha256: z.string().nullable(),
});
const endSchema = z.object({ id: z.string(), status: z.string(), reason: z.string().nullable() });

type Call = z.output<typeof callSchema>;
type RecordedEvent = z.output<typeof eventSchema>;

export interface Backend {
  /** The variables with which the service knows it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly calls: readonly Call[];
  /** Resolves when it has got this event. */
  hears(eventId: string): Promise<void>;
}

export async function startBackend(): Promise<Backend> {
  const child = spawn(process.execPath, [BACKEND_PROCESS], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const [port] = await once(lines, 'line');
  const calls: Call[] = [];
  const heard = new Set<string>();
  const listeners = new Set<() => void>();
  lines.on('line', (line) => {
    const call = callSchema.parse(JSON.parse(line));
    calls.push(call);
    heard.add(idOf(call));
    for (const listener of listeners) listener();
  });
  const endpoint = {
    ...{ name: 'backend', url: `http://127.0.0.1:${port}/`, secret: SECRET },
    enabled_events: ['*', 'delivery.delivered'],
  };
  return {
    calls,
    environment: {
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
      NDS_ENDPOINTS: JSON.stringify([endpoint]),
    },
    hears: (eventId) =>
      new Promise((resolve) => {
        const look = () => heard.has(eventId) && resolve();
        listeners.add(look);
        look();
      }),
  };
}

function idOf({ headers }: Call): string {
  return headers['webhook-id'] ?? '';
}

function query<Row>(file: string, row: z.ZodType<Row>, sql: string): readonly Row[] {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    return z.array(row).parse(db.prepare(sql).all());
  } finally {
    db.close();
  }
}

export function readEvents(file: string): readonly RecordedEvent[] {
  const columns = 'id, type, delivery_id, reason, token_sha256';
  return query(file, eventSchema, `SELECT ${columns} FROM events ORDER BY row_id`);
}

export interface ToldVerdict {
  /** Events of the table that the backend never got, and ends without an event. */
  readonly untold: readonly string[];
  /** Events that the backend got although they were never recorded, or that differ from what was recorded. */
  readonly invented: readonly string[];
  /** Whether it got all events in the order of the table. */
  readonly isInOrder: boolean;
  readonly events: number;
  /** Calls after the first of each event. */
  readonly repeats: number;
}

export function judgeTold(
  calls: readonly Call[],
  { file, tokens }: { readonly file: string; readonly tokens: readonly string[] },
): ToldVerdict {
  const events = readEvents(file);
  const byId = new Map(events.map((event) => [event.id, event]));
  const firsts = [...new Set(calls.map(idOf))];
  const known = new Set(tokens.map((token) => createHash('sha256').update(token).digest('hex')));
  return {
    untold: [
      ...events.filter(({ id }) => !firsts.includes(id)).map(({ id, type }) => `${type} ${id}`),
      ...endsWithoutEvent(file, events),
    ],
    invented: calls.flatMap((call) => faultOfCall(call, byId.get(idOf(call)), known) ?? []),
    isInOrder: firsts.join() === events.map(({ id }) => id).join(),
    events: events.length,
    repeats: calls.length - firsts.length,
  };
}

function faultOfCall(
  call: Call,
  event: RecordedEvent | undefined,
  known: ReadonlySet<string>,
): string | undefined {
  if (event === undefined) return `never recorded: ${call.raw}`;
  const { type, data } = bodySchema.parse(new Webhook(SECRET).verify(call.raw, call.headers));
  const said = [data.delivery_id, data.reason, data.token_sha256].map((value) => value ?? null);
  const recorded = [event.delivery_id, event.reason, event.token_sha256];
  if (type !== event.type || said.join() !== recorded.join())
    return `is not as recorded: ${call.raw}`;
  const digest = data.token_sha256;
  if (digest !== undefined && !known.has(digest)) return `a token that nobody has: ${call.raw}`;
  return faultOfEvent(call.raw);
}

const TYPES: Readonly<Record<string, string>> = {
  delivered: 'delivery.delivered',
  unregistered: 'delivery.unregistered',
  expired: 'delivery.expired',
  rejected: 'delivery.rejected',
  misconfigured: 'delivery.rejected',
};

/** Each end has exactly one event with the same status, and each event about an end has its end. */
function endsWithoutEvent(file: string, events: readonly RecordedEvent[]): readonly string[] {
  const sql = "SELECT id, status, reason FROM deliveries WHERE status <> 'queued'";
  const ends = query(file, endSchema, sql).map(
    ({ id, status, reason }) => `${TYPES[status]} ${id} ${reason}`,
  );
  const told = events
    .filter(({ type }) => type.startsWith('delivery.'))
    .map(({ type, delivery_id, reason }) => `${type} ${delivery_id} ${reason}`);
  const [missing, surplus] = [new Set(ends), new Set(told)];
  for (const end of told) missing.delete(end);
  for (const end of ends) surplus.delete(end);
  const doubled = told.length - new Set(told).size;
  return [
    ...[...missing].map((end) => `no event: ${end}`),
    ...[...surplus].map((end) => `no such end: ${end}`),
    ...(doubled === 0 ? [] : [`${doubled} ends with two events`]),
  ];
}
