// Compares three records: the answers to the callers, the log in the database, and the pushes that the stand-ins took.
// Every sentence that it returns is a broken promise.
//
// - lost: a 200 without a row that has ended; a row or an answer `delivered` although no phone got the push.
// - false: a refusal of a push that a phone got or could have got; a row that contradicts the phone.
// - doubled: a phone that got a push twice without a crash or an uncertain end between, or under two ids.
//
// A call without an answer may have succeeded or failed; only its row and its phone must agree.

import type { ReceivedPush, SandboxRequest } from '../../sandbox/sandbox.ts';
import type { DeliveryRow } from './database.ts';
import type { MadeCall } from './load.ts';

export interface Records {
  readonly calls: readonly MadeCall[];
  readonly rows: readonly DeliveryRow[];
  readonly pushes: readonly ReceivedPush[];
  readonly requests: readonly SandboxRequest[];
  /** How many connections each stand-in had seen when a life ended; pushes of the next life have higher numbers. */
  readonly deaths: readonly Readonly<Record<ReceivedPush['provider'], number>>[];
}

export interface Verdict {
  readonly lost: readonly string[];
  readonly false: readonly string[];
  readonly doubled: readonly string[];
  /** Pushes after the first of their call; all of them are explained if `doubled` is empty. */
  readonly repeats: number;
}

/** Outcomes after which the provider may still have taken the push. */
const UNCERTAIN = new Set([
  'timeout',
  'connection_dead',
  'connection_lost',
  'stream_reset',
  'answer_unreadable',
  'adapter_failed',
]);
/** Types whose lifetime of a minute can pass between two lives of the service. */
const SHORT_LIVED = new Set(['payment_received']);

interface Found {
  readonly records: Records;
  readonly call: MadeCall;
  readonly row: DeliveryRow | undefined;
  readonly pushes: readonly ReceivedPush[];
}

export function reconcile(records: Records): Verdict {
  const rowsById = new Map(records.rows.map((row) => [row.id, row]));
  const rowsByMessage = new Map(
    records.rows.flatMap((row) => messagesOf(row).map((id) => [id, row])),
  );
  const pushesByToken = Map.groupBy(records.pushes, ({ token }) => token);
  const found = records.calls.map((call): Found => {
    const pushes = call.isDead ? [] : (pushesByToken.get(call.token) ?? []);
    const ids = [call.answer?.body.id, ...pushes.map(({ apns }) => apns?.id)];
    const byId = ids.map((id) => rowsById.get(id ?? '')).find((row) => row !== undefined);
    const byMessage = pushes.map((push) => rowsByMessage.get(messageOf(push)));
    return { records, call, pushes, row: byId ?? byMessage.find((row) => row !== undefined) };
  });
  const taken = new Set(records.pushes.map(messageOf));
  return {
    lost: [...found.flatMap(lostIn), ...records.rows.flatMap((row) => undelivered(row, taken))],
    false: [...found.flatMap(falseIn), ...records.pushes.filter(wasUseless).map(() => 'sent late')],
    doubled: found.flatMap(doubledIn),
    repeats: found.reduce((sum, { pushes }) => sum + Math.max(0, pushes.length - 1), 0),
  };
}

export function messageOf(push: ReceivedPush): string {
  // The log has only the last part of the name, which Google's delivery data call the message id.
  return push.apns?.id ?? push.fcm?.name.split('/').at(-1) ?? '';
}

export function messagesOf({ attempts }: DeliveryRow): readonly string[] {
  return attempts.flatMap(({ messageId }) => (messageId === undefined ? [] : [messageId]));
}

function wasUseless({ expired }: ReceivedPush): boolean {
  return expired;
}

function lostIn({ call, row, pushes }: Found): readonly string[] {
  const { answer, token, type } = call;
  const faults: string[] = [];
  if (row?.status === 'queued') faults.push(`${token}: its row never ended`);
  if (answer?.status !== 200) return faults;
  const { status, logged } = answer.body;
  if (status === 'delivered' && pushes.length === 0) {
    faults.push(`${token}: answered delivered, and no phone got it`);
  }
  if (logged === false) return faults;
  if (row === undefined) return [...faults, `${token}: answered ${status}, and there is no row`];
  const mayEnd = new Set(['delivered']);
  if (call.isDead) mayEnd.add('unregistered');
  if (SHORT_LIVED.has(type)) mayEnd.add('expired');
  if (!mayEnd.has(row.status)) faults.push(`${token}: answered ${status}, ended ${row.status}`);
  return faults;
}

function undelivered(row: DeliveryRow, taken: ReadonlySet<string>): readonly string[] {
  if (row.status !== 'delivered') return [];
  const id = row.provider === 'apns' ? row.id : messagesOf(row)[0];
  return taken.has(id ?? '') ? [] : [`${row.id}: its row says delivered, and no phone got it`];
}

function falseIn({ call, row, pushes }: Found): readonly string[] {
  const { answer, token, isDead } = call;
  const faults: string[] = [];
  if (pushes.length > 0 && row !== undefined) {
    // An uncertain attempt may have reached the phone before the time was over.
    const isUnknown = row.status === 'expired' && uncertainEnds(row) > 0;
    if (row.status !== 'delivered' && !isUnknown) {
      faults.push(`${token}: its phone got it, and its row says ${row.status}`);
    }
  }
  if (answer === undefined) return faults;
  if (pushes.length > 0 && row === undefined) faults.push(`${token}: answered, pushed, no row`);
  if (answer.status === 200) {
    const told = answer.body.status;
    if (told !== 'delivered' && told !== 'queued') faults.push(`${token}: answered ${told}`);
    if (isDead && told === 'delivered') faults.push(`${token}: delivered to a dead token`);
    return faults;
  }
  const refused = `${answer.status} ${answer.body.code}`;
  if (pushes.length > 0) faults.push(`${token}: answered ${refused}, and its phone got it`);
  if (!isDead) faults.push(`${token}: answered ${refused} without need`);
  else if (answer.status !== 410) faults.push(`${token}: dead, and answered ${refused}`);
  return faults;
}

function doubledIn({ records, call, row, pushes }: Found): readonly string[] {
  const ids = new Set(pushes.map(({ apns }) => apns?.id));
  const collapseIds = new Set(pushes.map(({ apns }) => apns?.collapseId));
  if (ids.size > 1 || collapseIds.size > 1) return [`${call.token}: pushed under ${ids.size} ids`];
  const unexplained = pushes.filter((push, index) => {
    const previous = pushes[index - 1];
    if (previous === undefined || lifeOf(previous, records) !== lifeOf(push, records)) return false;
    return !wasCut(previous, records);
  });
  const allowed = row === undefined ? 0 : uncertainEnds(row);
  if (unexplained.length <= allowed) return [];
  const way = pushes.map((push) => describe(push, records));
  return [`${call.token}: ${way.join(', ')}; uncertain ends logged: ${allowed}`];
}

function describe(push: ReceivedPush, records: Records): string {
  const { provider, connection, receivedAtMs } = push;
  const scripted = records.requests.filter(
    (request) =>
      request.scripted && request.provider === provider && request.connection === connection,
  );
  const faults = scripted.map(({ reason, token }) => `${reason} for ${token}`);
  const where = `life ${lifeOf(push, records)}, connection ${connection} [${faults.join(', ')}]`;
  return `${where} at ${receivedAtMs}`;
}

function lifeOf({ provider, connection }: ReceivedPush, { deaths }: Records): number {
  return deaths.filter((death) => death[provider] < connection).length;
}

/**
 * Whether the stand-in took this push but, by its script, did not say so in time: its own request hung, was reset or
 * delayed, or its connection was broken. The crash may have prevented the log's record of that outcome.
 */
function wasCut(push: ReceivedPush, { requests, calls }: Records): boolean {
  const breakers = new Set(calls.filter(breaksConnection).map(({ token }) => token));
  return requests.some(({ provider, token = '', connection, status, reason, scripted }) => {
    if (!scripted || provider !== push.provider || connection !== push.connection) return false;
    if (status === undefined && breakers.has(token)) return true;
    return token === push.token && (status === undefined || reason === 'delay');
  });
}

/** A reset, or a GOAWAY whose last stream is below others that the stand-in takes anyway. */
function breaksConnection({ fault }: MadeCall): boolean {
  if (fault?.kind === 'reset') return fault.scope === 'connection';
  return fault?.kind === 'goaway' && fault.processed === false;
}

export function uncertainEnds({ attempts }: DeliveryRow): number {
  return attempts.filter(({ reason }) => reason !== undefined && UNCERTAIN.has(reason)).length;
}
