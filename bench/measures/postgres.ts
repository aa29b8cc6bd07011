// What several machines over one PostgreSQL can do, compared with one over SQLite: SQLite, then one, two and three
// processes over PostgreSQL. All run side by side, each set with a database of its own, and take short turns, so that a
// noisy moment of the machine affects all of them; the medians of the turns are shown.

import { Client } from 'pg';
import { installServers, type Major, makeServer, type Server } from '../../test/postgres/server.ts';
import { number, ratio } from '../format.ts';
import type { Pattern } from '../generator.ts';
import { treeCpuUs } from '../process-usage.ts';
import type { BenchRun, Gateway, LoadResult } from '../run.ts';
import { median } from '../statistics.ts';
import type { Measured, Table } from './measure.ts';

const SETS = [
  { name: 'SQLite', machines: 1, isShared: false },
  { name: 'PostgreSQL, 1', machines: 1, isShared: true },
  { name: 'PostgreSQL, 2', machines: 2, isShared: true },
  { name: 'PostgreSQL, 3', machines: 3, isShared: true },
] as const;
type SetName = (typeof SETS)[number]['name'];

const CALLERS = 64;
const LOADS: readonly { name: string; pattern: Pattern; calls: number }[] = [
  { name: `${CALLERS} callers`, pattern: { kind: 'closed', callers: CALLERS }, calls: 3_000 },
  { name: '100/s', pattern: { kind: 'open', ratePerSecond: 100 }, calls: 300 },
  { name: '1,000/s', pattern: { kind: 'open', ratePerSecond: 1_000 }, calls: 2_000 },
];
const TURNS = { quick: 1, usual: 7, full: 15 } as const;
const MAJOR: Major = 18;
/** PostgreSQL's own defaults: what is committed is on disk. Ten connections for each of six processes. */
const SETTINGS = ['max_connections=100'];

interface Subject {
  readonly set: SetName;
  readonly gateways: readonly Gateway[];
}

interface Turn {
  readonly set: SetName;
  readonly load: string;
  readonly result: LoadResult;
  /** The server's; absent with SQLite. Includes its own maintenance and the beats of all processes. */
  readonly server?: ServerCost;
}

interface ServerCost {
  readonly cpuUsPerPush: number;
  /** Transactions that wrote: each waits for the disk. */
  readonly commitsPerSecond: number;
  readonly commitsPerPush: number;
  readonly logBytesPerPush: number;
}

export async function measurePostgres(run: BenchRun): Promise<Measured> {
  await installServers();
  const server = await makeServer(MAJOR, SETTINGS);
  try {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    try {
      return await measure(run, server, client);
    } finally {
      await client.end();
    }
  } finally {
    await server.remove();
  }
}

async function measure(run: BenchRun, server: Server, client: Client): Promise<Measured> {
  const turns = await withAll(run, { server, client }, async (subjects) => {
    const measured: Turn[] = [];
    for (let turn = 0; turn < TURNS[run.options.size]; turn += 1) {
      const first = turn % subjects.length;
      for (const load of LOADS) {
        for (const subject of [...subjects.slice(first), ...subjects.slice(0, first)]) {
          measured.push(await takeTurn(run, { server, client, subject, load }));
        }
      }
    }
    return measured;
  });
  return { tables: tablesOf(turns, TURNS[run.options.size]), data: { turns } };
}

interface Shared {
  readonly server: Server;
  readonly client: Client;
}

/** Runs `task` with the processes of each set, all of them warm. */
async function withAll<Result>(
  run: BenchRun,
  shared: Shared,
  task: (subjects: readonly Subject[]) => Promise<Result>,
  subjects: readonly Subject[] = [],
): Promise<Result> {
  const set = SETS[subjects.length];
  if (set === undefined) return await task(subjects);
  const environment = set.isShared ? await newDatabase(shared, `machines_${set.machines}`) : {};
  return await run.withMachines(set.machines, environment, (gateways) =>
    withAll(run, shared, task, [...subjects, { set: set.name, gateways }]),
  );
}

async function newDatabase(
  { server, client }: Shared,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  await client.query(`CREATE DATABASE ${name}`);
  // There is no proxy that could still send calls, so a stop need not wait.
  return {
    NDS_DATABASE: Object.assign(new URL(server.url), { pathname: name }).href,
    NDS_DRAIN: '0ms',
  };
}

async function takeTurn(
  run: BenchRun,
  given: Shared & { readonly subject: Subject; readonly load: (typeof LOADS)[number] },
): Promise<Turn> {
  const { subject, load, server, client } = given;
  const before = await countersOf(server, client);
  const calls = { mix: 'android', count: load.calls } as const;
  const result = await run.loadAll(subject.gateways, load.pattern, calls);
  const after = await countersOf(server, client);
  if (result.arrived < load.calls) {
    const answers = JSON.stringify(result.statuses);
    process.stderr.write(
      `${subject.set} at ${load.name}: ${result.arrived} of ${load.calls} arrived; ${answers}\n`,
    );
  }
  const turn = { set: subject.set, load: load.name, result };
  if (subject.set === 'SQLite') return turn;
  const per = (name: keyof Counters, divisor: number) => (after[name] - before[name]) / divisor;
  const seconds = result.arrived / result.perSecond;
  const cost = {
    cpuUsPerPush: per('cpuUs', result.arrived),
    commitsPerSecond: per('commits', seconds),
    commitsPerPush: per('commits', result.arrived),
    logBytesPerPush: per('logBytes', result.arrived),
  };
  return { ...turn, server: cost };
}

interface Counters {
  readonly cpuUs: number;
  readonly commits: number;
  readonly logBytes: number;
}

/** Transaction numbers count writes: a transaction that only reads gets none. */
async function countersOf(server: Server, client: Client): Promise<Counters> {
  const { rows } = await client.query<{ commits: string; log: string }>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS commits,
      (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text AS log`,
  );
  const [found] = rows;
  return {
    cpuUs: treeCpuUs(server.pid),
    commits: Number(found?.commits),
    logBytes: Number(found?.log),
  };
}

function tablesOf(turns: readonly Turn[], count: number): readonly Table[] {
  const of = (set: SetName, load: string) =>
    turns.filter((turn) => turn.set === set && turn.load === load);
  const middle = (found: readonly Turn[], pick: (turn: Turn) => number | undefined) => {
    const known = found.map(pick).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : median(known);
  };
  const rows = LOADS.flatMap(({ name: load }) =>
    SETS.map(({ name: set }) => {
      const found = of(set, load);
      const bare = of('SQLite', load);
      const p99 = ({ result }: Turn) => result.toProviderMs?.p99;
      const rates = found.map(
        ({ result }, index) => result.perSecond / (bare[index]?.result.perSecond ?? Number.NaN),
      );
      return [
        `${load}, ${set}`,
        number(middle(found, ({ result }) => result.perSecond)),
        ratio(median(rates)),
        number(middle(found, ({ result }) => result.cpuUsPerPush)),
        number(middle(found, ({ server }) => server?.cpuUsPerPush)),
        number(middle(found, ({ server }) => server?.commitsPerSecond)),
        number(middle(found, ({ server }) => server?.commitsPerPush)),
        number(middle(found, ({ server }) => server?.logBytesPerPush)),
        number(middle(found, ({ result }) => result.toProviderMs?.p50)),
        number(middle(found, p99)),
        number(middle(found, ({ result }) => result.toAnswerMs?.p50)),
      ];
    }),
  );
  return [
    {
      title: `Several processes over PostgreSQL ${MAJOR}, Android`,
      columns: [
        'load, processes',
        'pushes/s',
        'to SQLite',
        'CPU µs/push',
        'of PostgreSQL',
        'commits/s',
        'commits/push',
        'log B/push',
        '→ provider p50',
        'p99, ms',
        '→ answer p50',
      ],
      rows,
      note: `Medians of ${count} turns. Everything runs on this machine, PostgreSQL, callers and stand-ins included: at saturation they share its cores.`,
    },
  ];
}
