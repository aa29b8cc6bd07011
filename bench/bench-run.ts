// What every measurement needs: the stand-ins, the load generator, fresh numbers, and one way to put load on a
// gateway and read from the operating system what it cost.

import { type Calls, Generator, type LoadTarget, type Pattern } from './generator.ts';
import { type CallOutcome, countOutcomes } from './load/record.ts';
import type { Mix } from './numbering.ts';
import type { Options } from './options.ts';
import { cpuUs, memoryOf, threadTimeBetween, threadTimes } from './process-usage.ts';
import { type RunningService, type ServiceOptions, startService } from './service.ts';
import { StandIns } from './stand-ins.ts';
import { type Distribution, distribution } from './statistics.ts';

/** After the last answer: the store commits, timers end. It belongs to the cost of the pushes. */
const SETTLE_MS = 300;
const ARRIVAL_TIMEOUT_MS = 10_000;
/**
 * On each platform. Enough that every phone of a run has had a push and V8 has compiled what is hot: with half
 * as many its compiler still takes 15 µs of every push that is measured first.
 */
const WARM_UP_CALLS = { quick: 3_000, usual: 12_000, full: 12_000 } as const;
const WARM_UP_CALLERS = 64;

/** A gateway under load: ours, or a foreign one that somebody else started. */
export interface Gateway {
  readonly pid: number;
  readonly target: LoadTarget;
}

export interface LoadResult {
  readonly calls: number;
  readonly delivered: number;
  readonly arrived: number;
  readonly repeated: number;
  readonly outcomes: Partial<Record<CallOutcome, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** User and system time of the gateway's process, all threads, per push that reached the provider. */
  readonly cpuUsPerPush: number;
  /** The same by thread name. */
  readonly threadUsPerPush: Readonly<Record<string, number>>;
  readonly perSecond: number;
  /** From when the call was due; none if nothing arrived or was answered. ms. */
  readonly toProviderMs: Distribution | undefined;
  readonly toAnswerMs: Distribution | undefined;
  /** How late the generator itself was; if this is not small, so are the others not. ms. */
  readonly generatorLagMs: Distribution | undefined;
  /** From the first call due to the last push at the provider. */
  readonly lastPushAfterMs: number;
  readonly startedUs: number;
  readonly endedUs: number;
}

export class BenchRun implements AsyncDisposable {
  readonly options: Options;
  readonly standIns: StandIns;
  readonly generator: Generator;
  #nextNumber = 1;

  private constructor(options: Options, standIns: StandIns) {
    this.options = options;
    this.standIns = standIns;
    this.generator = new Generator();
  }

  static async start(options: Options): Promise<BenchRun> {
    return new BenchRun(options, await StandIns.start({ fixed: options.foreign !== undefined }));
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
    return { pid: service.pid, target: this.targetOf('127.0.0.1', service.port) };
  }

  targetOf(host: LoadTarget['host'], port: number): LoadTarget {
    const api = this.options.foreign?.api ?? 'breez';
    return { host, port, api, topic: this.standIns.described.apns.topic };
  }

  /**
   * Runs `task` with a warm gateway: the foreign one if there is one, else a fresh service that ends after it.
   * Of a fresh one it is told what was resident before the first call.
   */
  async withGateway<Result>(
    task: (gateway: Gateway, startedBytes?: number) => Promise<Result>,
  ): Promise<Result> {
    const { foreign } = this.options;
    if (foreign !== undefined) {
      const gateway = { pid: foreign.pid, target: this.targetOf(foreign.host, foreign.port) };
      await this.warmUp(gateway);
      return await task(gateway);
    }
    await using service = await this.startService();
    const gateway = this.gatewayOf(service);
    const { rssBytes } = memoryOf(service.pid);
    await this.warmUp(gateway);
    return await task(gateway, rssBytes);
  }

  async warmUp(gateway: Gateway): Promise<void> {
    const count = WARM_UP_CALLS[this.options.size];
    for (const mix of ['android', 'ios'] as const) {
      const pattern = { kind: 'closed', callers: WARM_UP_CALLERS } as const;
      const { arrived, statuses } = await this.load(gateway, pattern, {
        mix,
        count,
      });
      if (arrived === count) continue;
      const answers = JSON.stringify(statuses);
      throw new Error(`${arrived} of ${count} pushes arrived; answers: ${answers}`);
    }
  }

  async load(
    gateway: Gateway,
    pattern: Pattern,
    calls: { mix: Mix; count: number; phones?: number; maxMs?: number },
  ): Promise<LoadResult> {
    const numbered: Calls = { ...calls, firstNumber: this.takeNumbers(calls.count) };
    await this.standIns.watch(numbered.firstNumber, calls.count);
    const threadsBefore = threadTimes(gateway.pid);
    const cpuBefore = cpuUs(gateway.pid);
    const record = await this.generator.run(gateway.target, pattern, numbered);
    const outcomes = countOutcomes(record.outcomes);
    const expected = (outcomes.delivered ?? 0) + (outcomes.queued ?? 0);
    await this.standIns.waitFor(expected, ARRIVAL_TIMEOUT_MS);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const cpu = cpuUs(gateway.pid) - cpuBefore;
    const threads = threadTimeBetween(threadsBefore, threadTimes(gateway.pid));
    const arrivals = await this.standIns.arrivals();
    const perPush = (us: number) => us / Math.max(1, arrivals.arrived);
    const startedUs = least(record.dueUs);
    const endedUs = Math.max(greatest(record.answeredUs), greatest(arrivals.atUs));
    return {
      calls: calls.count,
      delivered: outcomes.delivered ?? 0,
      arrived: arrivals.arrived,
      repeated: arrivals.repeated,
      outcomes,
      statuses: record.statuses,
      cpuUsPerPush: perPush(cpu),
      threadUsPerPush: Object.fromEntries(
        Object.entries(threads).map(([name, us]) => [name, perPush(us)]),
      ),
      perSecond: arrivals.arrived / ((endedUs - startedUs) / 1e6),
      toProviderMs: differencesMs(record.dueUs, arrivals.atUs),
      toAnswerMs: differencesMs(record.dueUs, record.answeredUs),
      generatorLagMs: differencesMs(record.dueUs, record.writtenUs),
      lastPushAfterMs: (greatest(arrivals.atUs) - startedUs) / 1e3,
      startedUs,
      endedUs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generator[Symbol.asyncDispose]();
    await this.standIns[Symbol.asyncDispose]();
  }
}

/** The distribution of `to - from`, of those that have both; nothing if none has. ms. */
export function differencesMs(from: Float64Array, to: Float64Array): Distribution | undefined {
  const differences: number[] = [];
  for (const [index, start] of from.entries()) {
    const difference = (to[index] ?? Number.NaN) - start;
    if (!Number.isNaN(difference)) differences.push(difference / 1e3);
  }
  return differences.length === 0 ? undefined : distribution(differences);
}

function least(values: Float64Array): number {
  return withoutNaN(values).reduce((found, value) => Math.min(found, value), Infinity);
}

function greatest(values: Float64Array): number {
  return withoutNaN(values).reduce((found, value) => Math.max(found, value), -Infinity);
}

function withoutNaN(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value));
}
