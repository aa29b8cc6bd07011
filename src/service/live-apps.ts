// The current apps and sources. A reload reads their files again and applies all changes at one moment, or none: calls
// in flight finish with the old ones. Endpoints follow as fast as the store takes them.

import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import type { SignedSources } from '../config/sources.ts';
import { CurrentRules } from '../core/app-rules.ts';
import { endpointId } from '../core/events/configured.ts';
import type { ConfiguredEndpoint } from '../core/events/details.ts';
import type { Endpoints } from '../core/events/endpoints.ts';
import type { Clock, Timer } from '../core/ports/clock.ts';
import type { Provider } from '../core/ports/provider.ts';
import type { Retrier } from '../core/sending/retrier.ts';
import { rulesByApp } from './app-rules.ts';
import type { AppLanes } from './lanes.ts';
import type { AppsAndSources, Prepared } from './prepare.ts';
import type { AppProvider } from './providers.ts';

/** Longer than any send: a wait for a place, two waits for a stream and two attempts. */
const RETIRE_AFTER_MS = 60_000;

/** What a reload changed: `app/provider` and `endpoint/id` of what was opened or closed. */
export interface ReloadReport {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
  readonly kept: readonly string[];
}

/** Applies the rest of a reload. */
export interface ReloadParts {
  readonly lanes: AppLanes;
  readonly retrier: Retrier;
  readonly endpoints: Pick<Endpoints, 'start'>;
}

export interface LiveAppsParts {
  readonly clock: Clock;
  readonly prepared: Prepared;
}

export class LiveApps {
  readonly #clock: Clock;
  readonly rules: CurrentRules;
  readonly #config: Config;
  readonly #readAgain: Prepared['readAgain'];
  /** Providers that only finish their pushes in flight. */
  readonly #retired = new Map<Provider, Timer>();
  #now: AppsAndSources;
  #reloading: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor({ clock, prepared }: LiveAppsParts) {
    this.#clock = clock;
    this.#config = prepared.config;
    this.#readAgain = prepared.readAgain;
    this.#now = prepared;
    this.rules = new CurrentRules(rulesByApp(prepared.config, prepared.apps));
  }

  get providers(): readonly AppProvider[] {
    return this.#now.providers;
  }

  get sources(): SignedSources {
    return this.#now.sources;
  }

  /** One at a time. Rejects with a `ConfigError` and then changes nothing. */
  reload(parts: ReloadParts): Promise<ReloadReport> {
    const reload = () => this.#reload(parts);
    const done = this.#reloading.then(reload, reload);
    this.#reloading = done.catch(() => {});
    return done;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#retired.values()) timer.cancel();
    const all = [...this.#retired.keys(), ...this.providers.map(({ provider }) => provider)];
    await Promise.all(all.map((provider) => provider.close()));
  }

  async #reload({ lanes, retrier, endpoints }: ReloadParts): Promise<ReloadReport> {
    const before = this.providers;
    const { endpoints: earlier } = this.#now;
    const read = await this.#readAgain(before);
    const opened = read.providers.filter((one) => !before.includes(one));
    if (this.#isClosed) {
      await Promise.all(opened.map(({ provider }) => provider.close()));
      throw new Error('the service stopped during the reload');
    }
    const rules = rulesByApp(this.#config, read.apps);
    // There is no `await` below: a call sees either all of the old configuration or all of the new one.
    this.#now = read;
    this.rules.replace(rules);
    retrier.changeLanes(lanes.replace(read.providers));
    const closed = before.filter((one) => !read.providers.includes(one));
    for (const { provider } of closed) this.#retire(provider);
    for (const { provider } of opened) void provider.warm();
    const kept = before.filter((one) => read.providers.includes(one));
    await endpoints.start(read.endpoints);
    const told = compare(earlier, read.endpoints);
    return {
      opened: [...opened.map(nameOf), ...told.opened],
      closed: [...closed.map(nameOf), ...told.closed],
      kept: [...kept.map(nameOf), ...told.kept],
    };
  }

  /** Its pushes in flight, and those that wait for a place, finish first. */
  #retire(provider: Provider): void {
    const timer = this.#clock.after(RETIRE_AFTER_MS, () => {
      this.#retired.delete(provider);
      void provider.close();
    });
    this.#retired.set(provider, timer);
  }
}

function nameOf({ app, provider }: AppProvider): string {
  return `${app}/${provider.name}`;
}

/** A changed endpoint counts as closed and opened. */
function compare(
  before: readonly ConfiguredEndpoint[],
  after: readonly ConfiguredEndpoint[],
): ReloadReport {
  const isIn = (list: readonly ConfiguredEndpoint[]) => (one: ConfiguredEndpoint) =>
    list.some((other) => isDeepStrictEqual(one, other));
  const name = ({ name: given }: ConfiguredEndpoint) => `endpoint/${endpointId(given)}`;
  const isKept = isIn(before);
  const stays = isIn(after);
  return {
    opened: after.filter((one) => !isKept(one)).map(name),
    closed: before.filter((one) => !stays(one)).map(name),
    kept: before.filter(stays).map(name),
  };
}
