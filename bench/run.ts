// What every measurement needs: the stand-ins, the load generator, fresh numbers, and one way to put load on a gateway
// and to read its cost from the operating system.

import { type Calls, Generator, type LoadTarget, type Pattern } from './generator.ts';
import { codeOf, joinRecords, type LoadRecord } from './load/record.ts';
import type { Mix } from './numbering.ts';
import type { Foreign, Options } from './options.ts';
import { cpuUs, memoryOf, processListeningOn } from './process-usage.ts';
import { type RunningService, type ServiceOptions, type Subject, startService } from './service.ts';
import { type Arrivals, StandIns } from './stand-ins.ts';
import { type Distribution, distribution } from './statistics.ts';

/** Time after the last answer in which the store commits and timers end; it is part of the cost of the pushes. */
const SETTLE_MS = 300;
const ARRIVAL_TIMEOUT_MS = 10_000;
/**
 * Enough for every phone of a run to have had a push, and for V8 to have compiled the hot code: with half as many its
 * compiler still takes 15 µs of every push in the first measurement.
 */
const WARM_UP_CALLS = { quick: 3_000, usual: 12_000, full: 12_000 } as const;
const WARM_UP_CALLERS = 64;

/** A gateway under load: the service, the floor, or a foreign one that the user started. */
export interface Gateway {
  readonly pid: number;
  readonly target: LoadTarget;
  /** Resident memory before the first call; unknown for a foreign one. */
  readonly startedBytes?: number | undefined;
}

export interface LoadResult {
  readonly calls: number;
  /** Answered 200. */
  readonly accepted: number;
  /** Any other answer. */
  readonly refused: number;
  /** No answer. */
  readonly broken: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly arrived: number;
  /** Accepted, but never arrived at the provider. */
  readonly lost: number;
  readonly repeated: number;
  /** User and system time of the gateway's process, all threads, per push that reached the provider. */
  readonly cpuUsPerPush: number;
  readonly perSecond: number;
  /** From when the call was due; undefined if nothing arrived or was answered. ms. */
  readonly toProviderMs: Distribution | undefined;
  readonly toAnswerMs: Distribution | undefined;
  /** How late the generator itself was, ms. It is part of the other latencies. */
  readonly generatorLagMs: Distribution | undefined;
  /** When the last push arrived at the provider: µs of the common clock; NaN if none arrived. */
  readonly lastPushUs: number;
  /** The same, measured from when the first call was due, ms. */
  readonly lastPushAfterMs: number;
}

export type LoadCalls = Pick<Calls, 'mix' | 'count' | 'phones' | 'maxMs'> & {
  /** How long to wait for the last accepted push. */
  readonly arrivalTimeoutMs?: number | undefined;
};

export class BenchRun implements AsyncDisposable {
  readonly options: Options;
  readonly standIns: StandIns;
  readonly generator: Generator;
  /** One for each of several gateways that share a load; the first is `generator`. */
  readonly #generators: Generator[];
  #nextNumber = 1;

  private constructor(options: Options, standIns: StandIns) {
    this.options = options;
    this.standIns = standIns;
    this.generator = new Generator();
    this.#generators = [this.generator];
  }

  static async start(options: Options): Promise<BenchRun> {
    return new BenchRun(options, await StandIns.start(options.foreign?.standIns));
  }

  /** The gateway's name in the tables. */
  get subject(): string {
    return this.options.foreign === undefined ? 'nds' : 'target';
  }

  /** The first of `count` numbers that no other push has. */
  takeNumbers(count: number): number {
    const first = this.#nextNumber;
    this.#nextNumber += count;
    return first;
  }

  async startService(options: Omit<ServiceOptions, 'standIns'> = {}): Promise<RunningService> {
    return await startService({ standIns: this.standIns.described, ...options });
  }

  gatewayOf(service: RunningService): Gateway {
    const { rssBytes } = memoryOf(service.pid);
    const { topic } = this.standIns.described.apns;
    const target = { host: '127.0.0.1', port: service.port, api: 'breez', topic } as const;
    return { pid: service.pid, target, startedBytes: rssBytes };
  }

  foreignGateway({ host, port, api, pid }: Foreign): Gateway {
    const target = { host, port, api, topic: this.standIns.described.apns.topic };
    return { pid: pid ?? processListeningOn(port), target };
  }

  /** Runs `task` with a warm gateway: the foreign one if there is one, else a fresh service that ends after it. */
  async withGateway<Result>(task: (gateway: Gateway) => Promise<Result>): Promise<Result> {
    const { foreign } = this.options;
    if (foreign === undefined) return await this.withFresh('nds', task);
    const gateway = this.foreignGateway(foreign);
    await this.#warmUp([gateway], ['android', 'ios']);
    return await task(gateway);
  }

  /** Runs `task` with a fresh, warm process that ends after it. */
  async withFresh<Result>(
    subject: Subject,
    task: (gateway: Gateway) => Promise<Result>,
    options: Pick<ServiceOptions, 'environment'> = {},
  ): Promise<Result> {
    await using service = await this.startService({ subject, ...options });
    const gateway = this.gatewayOf(service);
    await this.#warmUp([gateway], subject === 'floor' ? ['android'] : ['android', 'ios']);
    return await task(gateway);
  }

  /**
   * Runs `task` with fresh processes of the service that share a database and end after it; they are warm only for
   * Android.
   */
  async withMachines<Result>(
    count: number,
    environment: Readonly<Record<string, string>>,
    task: (gateways: readonly Gateway[]) => Promise<Result>,
  ): Promise<Result> {
    await using machines = new AsyncDisposableStack();
    const gateways: Gateway[] = [];
    while (gateways.length < count) {
      gateways.push(this.gatewayOf(machines.use(await this.startService({ environment }))));
    }
    await this.#warmUp(gateways, ['android']);
    return await task(gateways);
  }

  async #warmUp(gateways: readonly Gateway[], mixes: readonly Mix[]): Promise<void> {
    const count = WARM_UP_CALLS[this.options.size] * gateways.length;
    const pattern = { kind: 'closed', callers: WARM_UP_CALLERS } as const;
    for (const mix of mixes) {
      const { arrived, statuses } = await this.loadAll(gateways, pattern, { mix, count });
      // A foreign gateway may be configured for one platform.
      if (arrived === count || this.options.foreign !== undefined) continue;
      const answers = JSON.stringify(statuses);
      throw new Error(`${arrived} of ${count} pushes arrived; answers: ${answers}`);
    }
  }

  async load(gateway: Gateway, pattern: Pattern, calls: LoadCalls): Promise<LoadResult> {
    return await this.loadAll([gateway], pattern, calls);
  }

  /** Calls, callers and rate are those of all gateways together; each gets the same share. */
  async loadAll(
    gateways: readonly Gateway[],
    pattern: Pattern,
    calls: LoadCalls,
  ): Promise<LoadResult> {
    const { arrivalTimeoutMs = ARRIVAL_TIMEOUT_MS, count, ...wanted } = calls;
    const firstNumber = this.takeNumbers(count);
    await this.standIns.watch(firstNumber, count);
    while (this.#generators.length < gateways.length) this.#generators.push(new Generator());
    const cpuBefore = cpuOf(gateways);
    const startOf = (index: number) => Math.floor((index * count) / gateways.length);
    const records = await Promise.all(
      gateways.map(({ target }, index) => {
        const [start, end] = [startOf(index), startOf(index + 1)];
        const numbered = { ...wanted, count: end - start, firstNumber: firstNumber + start };
        const generator = this.#generators[index] ?? this.generator;
        return generator.run(target, shareOf(pattern, gateways.length), numbered);
      }),
    );
    const record = joinRecords(records);
    await this.standIns.waitFor(countOf(record, 'accepted'), arrivalTimeoutMs);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const cpu = cpuOf(gateways) - cpuBefore;
    return resultOf(record, await this.standIns.arrivals(), cpu);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const generator of this.#generators) await generator[Symbol.asyncDispose]();
    await this.standIns[Symbol.asyncDispose]();
  }
}

function cpuOf(gateways: readonly Gateway[]): number {
  return gateways.reduce((sum, { pid }) => sum + cpuUs(pid), 0);
}

/** The share of one of `gateways` equal gateways. */
function shareOf(pattern: Pattern, gateways: number): Pattern {
  switch (pattern.kind) {
    case 'closed':
      return { kind: 'closed', callers: Math.ceil(pattern.callers / gateways) };
    case 'open':
      return { kind: 'open', ratePerSecond: pattern.ratePerSecond / gateways };
    case 'burst':
      return pattern;
  }
}

function resultOf(record: LoadRecord, arrivals: Arrivals, cpu: number): LoadResult {
  const { dueUs, writtenUs, answeredUs, outcomes, statuses } = record;
  const { atUs, arrived, repeated } = arrivals;
  const known = (values: Float64Array) => values.filter((us) => !Number.isNaN(us));
  const startedUs = known(dueUs).reduce((least, us) => Math.min(least, us), Infinity);
  const greatest = (values: Float64Array) =>
    known(values).reduce((found, us) => Math.max(found, us), -Infinity);
  const lastPushUs = arrived === 0 ? Number.NaN : greatest(atUs);
  const endedUs = Math.max(greatest(atUs), greatest(answeredUs));
  const accepted = codeOf('accepted');
  return {
    calls: outcomes.length,
    accepted: countOf(record, 'accepted'),
    refused: countOf(record, 'refused'),
    broken: countOf(record, 'broken'),
    statuses,
    arrived,
    lost: atUs.filter((us, index) => Number.isNaN(us) && outcomes[index] === accepted).length,
    repeated,
    cpuUsPerPush: cpu / Math.max(1, arrived),
    perSecond: arrived / ((endedUs - startedUs) / 1e6),
    toProviderMs: differencesMs(dueUs, atUs),
    toAnswerMs: differencesMs(dueUs, answeredUs),
    generatorLagMs: differencesMs(dueUs, writtenUs),
    lastPushUs,
    lastPushAfterMs: (lastPushUs - startedUs) / 1e3,
  };
}

function countOf(
  { outcomes }: Pick<LoadRecord, 'outcomes'>,
  outcome: 'accepted' | 'refused' | 'broken',
) {
  const wanted = codeOf(outcome);
  return outcomes.filter((code) => code === wanted).length;
}

/** Differences of the pushes that have both times. */
function differencesMs(fromUs: Float64Array, untilUs: Float64Array): Distribution | undefined {
  const differences = untilUs
    .map((until, index) => (until - (fromUs[index] ?? Number.NaN)) / 1e3)
    .filter((ms) => !Number.isNaN(ms));
  return differences.length === 0 ? undefined : distribution(differences);
}
