// GET /admin/view/now, /admin/view/filters and /admin/view/log: the cards and drawings, what the list can be filtered
// by, and its newest rows.

import { z } from 'zod';
import { type DeliveryStatus, STATUSES } from '../../core/delivery.ts';
import { ERRORS } from '../../core/errors.ts';
import { healthDetail } from '../../core/events/health.ts';
import type { DeliveryPageQuery, Page, RefusalPageQuery } from '../../core/ports/operating.ts';
import { REPEATED } from '../../core/ports/records.ts';
import type { ProviderName } from '../../core/target.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { provider } from '../operator/answers.ts';
import { appName, checkQuery, notificationType } from '../operator/query.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { piece } from './views/elements.ts';
import { type LogRow, renderLog } from './views/log-view.ts';
import { type LaneCard, renderFilters, renderNow } from './views/now-view.ts';

/** Rows of the list at most. */
export const MAX_ROWS = 200;
/** A page may be short, because it reads a bounded part of the log. */
const MAX_PAGES = 5;
const REFUSED = 'refused';

export const logQuery = z.strictObject({
  app: appName.optional(),
  provider: provider.optional(),
  type: notificationType.optional(),
  status: z.enum([...STATUSES, REFUSED]).optional(),
  code: z
    .string()
    .regex(/^[a-z][a-z_]{0,63}$/, 'must be a code')
    .optional(),
});

type LogFilter = z.output<typeof logQuery>;

export async function showNow(parts: AdminParts, c: HttpContext): Promise<Response> {
  requireSession(parts.access, c, 'read');
  const { history, machineList } = parts;
  const { ready, checks } = parts.readiness();
  const { endpoints, clock } = parts.operator;
  const { mailFault } = endpoints;
  const wallMs = clock.wallMs();
  const troubles = [
    ...Object.entries(checks).flatMap(([check, { ready, detail }]) => {
      if (ready || check.includes('/')) return [];
      return [{ status: 'broken' as const, name: check, detail: detail ?? 'not ready' }];
    }),
    ...endpoints.all.flatMap((outbox) => {
      const detail = healthDetail(outbox, { wallMs, mailFault });
      if (detail === undefined) return [];
      return [{ status: 'degraded' as const, name: `endpoint ${outbox.endpoint.id}`, detail }];
    }),
  ];
  const [cards, last, all] = await reading(() =>
    Promise.all([readCards(parts), history.read(), machineList?.list()]),
  );
  const machines = machineList && all && { all, here: { id: machineList.id, isReady: ready } };
  return await piece(c, renderNow({ cards, troubles, history: last, machines }));
}

async function readCards({ operator, lanes }: AdminParts): Promise<readonly LaneCard[]> {
  const { operating, clock } = operator;
  const waiting = await operating.listWaiting();
  const states = operator.apps().flatMap((app) => {
    return app.providers.map((state) => ({ app: app.name, state }));
  });
  return await Promise.all(
    states.map(async ({ app, state }): Promise<LaneCard> => {
      const isOf = (one: { readonly app: string; readonly provider: string }) =>
        one.app === app && one.provider === state.name;
      const open = waiting.find(isOf);
      const lane = lanes().find(isOf);
      return {
        app,
        provider: state.name,
        status: state.status,
        detail: state.detail,
        lastSuccessAtMs: await readLastSuccess(operator, app, state.name),
        inFlight: lane?.inFlight ?? 0,
        waiting: open?.deliveries ?? 0,
        oldestForMs: open && Math.max(0, clock.wallMs() - open.oldestAtMs),
      };
    }),
  );
}

/** Absent if it is further back than one page reads. */
async function readLastSuccess(
  { operating }: AdminParts['operator'],
  app: string,
  by: ProviderName,
): Promise<number | undefined> {
  const status: DeliveryStatus = 'delivered';
  const { entries } = await operating.listDeliveries({ app, provider: by, status, limit: 1 });
  return entries[0]?.settledAtMs;
}

export function showFilters(parts: AdminParts, c: HttpContext): Promise<Response> {
  requireSession(parts.access, c, 'read');
  const apps = parts.operator.appNames();
  const codes = [...Object.keys(ERRORS), REPEATED].toSorted();
  return piece(c, renderFilters({ apps, types: parts.typeNames().toSorted(), codes }));
}

export async function showLog(parts: AdminParts, c: HttpContext): Promise<Response> {
  requireSession(parts.access, c, 'read');
  const filter = checkQuery(logQuery, c);
  const [deliveries, refusals] = await reading(() =>
    Promise.all([readDeliveries(parts, filter), readRefusals(parts, filter)]),
  );
  const rows = [...deliveries, ...refusals].toSorted((one, other) => other.atMs - one.atMs);
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  return await piece(c, renderLog(rows.slice(0, MAX_ROWS), { isFiltered }));
}

/** Only refused calls have a code. */
async function readDeliveries(
  { operator }: AdminParts,
  { app, provider: by, type, status, code }: LogFilter,
): Promise<readonly LogRow[]> {
  if (code !== undefined || status === REFUSED) return [];
  const query: Omit<DeliveryPageQuery, 'limit'> = { app, provider: by, type, status };
  const read = (page: DeliveryPageQuery) => operator.operating.listDeliveries(page);
  const entries = await readPages(read, query);
  return entries.map((delivery) => ({ kind: 'delivery', atMs: delivery.receivedAtMs, delivery }));
}

/** They name no provider and no type, and have no status of a delivery. */
async function readRefusals(
  { operator }: AdminParts,
  { app, provider: by, type, status = REFUSED, code }: LogFilter,
): Promise<readonly LogRow[]> {
  if (by !== undefined || type !== undefined || status !== REFUSED) return [];
  const query: Omit<RefusalPageQuery, 'limit'> = { app, code };
  const read = (page: RefusalPageQuery) => operator.operating.listRefusals(page);
  const entries = await readPages(read, query);
  return entries.map((refusal) => ({ kind: 'refusal', atMs: refusal.lastAtMs, refusal }));
}

async function readPages<Query extends object, Entry>(
  read: (query: Query & { cursor?: number | undefined; limit: number }) => Promise<Page<Entry>>,
  query: Query,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let cursor: number | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = await read({ ...query, cursor, limit: MAX_ROWS - entries.length });
    entries.push(...page.entries);
    cursor = page.next;
    if (cursor === undefined || entries.length >= MAX_ROWS) break;
  }
  return entries;
}
