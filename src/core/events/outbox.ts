// The outbox of any endpoint: what the endpoint asked for, how far it has got, and what happens when sending to it
// fails.

import type {
  Endpoint,
  EventStore,
  Progress,
  StoredEndpoint,
  VendorEvent,
} from '../ports/events.ts';
import { noteOf, type Sent } from './calls.ts';
import { type Wish, wishOf } from './catalogue.ts';
import { type Concluded, Failures, type FailuresParts } from './failures.ts';
import { Rounds } from './rounds.ts';

export interface OutboxParts extends FailuresParts {
  readonly store: EventStore;
}

export abstract class Outbox {
  readonly #parts: OutboxParts;
  readonly #failures: Failures;
  protected readonly rounds: Rounds;
  #endpoint: Endpoint;
  #wish: Wish;
  #progress: Progress;

  constructor(parts: OutboxParts, { endpoint, progress }: StoredEndpoint) {
    this.#parts = parts;
    this.#failures = new Failures(parts, endpoint.id, progress);
    this.rounds = new Rounds({
      clock: parts.clock,
      round: () => this.sendNext(),
      mayRun: () => this.#endpoint.status === 'enabled',
      onFault: (cause) =>
        parts.observer.observe({ name: 'internal_fault', where: 'endpoint', cause }),
    });
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Why the last attempt failed; absent if it succeeded. */
  get reason(): string | undefined {
    return this.#failures.reason;
  }

  protected get wish(): Wish {
    return this.#wish;
  }

  /** Called when an event was recorded that the endpoint may want. Does nothing while it waits for its next try. */
  nudge(): void {
    this.rounds.ask();
  }

  /** Called when the endpoint was changed, or sent back in the table: it is tried at once. */
  change({ endpoint, progress }: StoredEndpoint): void {
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
    this.#failures.restart();
    this.rounds.askNow();
  }

  /** Sets how far it has got while another machine sends to it. */
  follow(progress: Progress): void {
    this.#progress = progress;
    this.#failures.follow(progress);
  }

  stop(): void {
    this.rounds.stop();
  }

  /** Sends one event now, whatever the state of the endpoint, and records the attempt. */
  async sendOnce(event: VendorEvent): Promise<Sent> {
    const { store, clock } = this.#parts;
    const sent = await this.sendOne(event);
    await store.noteAttempt(noteOf(this.#endpoint, event, { sent, atMs: clock.wallMs() }));
    return sent;
  }

  /** Makes only the call, or sends only the mail. */
  protected abstract sendOne(event: VendorEvent): Promise<Sent>;

  /** Resolves to true if there may be more to send. Rejects if the store cannot be asked. */
  protected abstract sendNext(): Promise<boolean>;

  /** Passes over events that it did not ask for. */
  protected skipTo(cursor: number): void {
    this.#progress = { ...this.#progress, cursor };
  }

  /** A failure that our own shutdown may have caused does not count against the endpoint. */
  protected isMoot({ verdict }: Sent): boolean {
    return verdict === 'failed' && !this.rounds.mayRun;
  }

  /**
   * Updates its progress after an attempt and when it is tried next. `cursor` is its new position if this was the
   * event's last attempt.
   */
  protected conclude(sent: Sent, cursor: number): Concluded & { readonly isFirstFailure: boolean } {
    const concluded = this.#failures.conclude(sent, this.#progress, cursor);
    const { progress, isOver, isSkipped, disabledReason } = concluded;
    const isFirstFailure = sent.verdict !== 'delivered' && this.#failures.isFirst;
    this.#progress = progress;
    if (disabledReason !== undefined) {
      const endpointId = this.#endpoint.id;
      this.#endpoint = { ...this.#endpoint, status: 'disabled', disabledReason };
      const { observer } = this.#parts;
      observer.observe({ name: 'endpoint_disabled', endpointId, reason: disabledReason });
    }
    if (sent.verdict === 'delivered') this.#failures.succeeded();
    else if (!isOver) this.rounds.pause(this.#failures.failed(sent, progress));
    else if (isSkipped) this.#failures.restart();
    return { ...concluded, isFirstFailure };
  }
}
