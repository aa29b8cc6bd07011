// Watches one life of the service: turns what it prepares, sends and reports into the journal's records, and checks
// them against the rules.

import { AsyncLocalStorage } from 'node:async_hooks';
import { CATALOGUE } from '../../src/core/notification.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import type { PushMessage, Trust } from '../../src/core/ports/provider.ts';
import type { ProviderName } from '../../src/core/target.ts';
import type { Core } from '../../src/service/core.ts';
import type { AttemptRecord, CallRecord, DeliveryRecord, Journal } from './journal.ts';
import { isThrownByModel, type Sending } from './provider-model.ts';
import { Quarantines } from './quarantines.ts';
import { noteStored } from './record-store.ts';
import type { Rules } from './rules.ts';
import { MAX_IN_FLIGHT, MAX_QUEUED } from './settings.ts';
import type { LifeClock, Timeline } from './timeline.ts';
import { hadDiskTrouble, type Weather } from './weather.ts';

export interface WatchParts {
  readonly life: number;
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly journal: Journal;
  readonly rules: Rules;
  readonly clock: LifeClock;
  /** The call whose question a message asks; the message is prepared later than the call. */
  readonly questionOf: (message: PushMessage) => CallRecord | undefined;
}

interface Prepared {
  readonly message: PushMessage;
  readonly call: CallRecord | undefined;
  /** When its lifetime and its window began. */
  readonly receivedMs: number;
}

export class Watch implements Sending {
  /** The call for which the current code runs. */
  readonly calls = new AsyncLocalStorage<CallRecord>();
  core: Core | undefined;
  isStopping = false;
  readonly #parts: WatchParts;
  readonly #prepared = new Map<string, Prepared>();
  readonly #inFlight: Record<ProviderName, Set<AttemptRecord>> = {
    apns: new Set(),
    apns_sandbox: new Set(),
    fcm: new Set(),
  };
  readonly #quarantines: Quarantines;
  /** Deliveries that are sent without their keys. */
  readonly #unclaimed = new Set<string>();
  /** The present outages, by their number. */
  readonly #outages = new Map<ProviderName, number>();
  #outageNumber = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#quarantines = new Quarantines(parts);
  }

  whenRunning(task: () => void): void {
    this.#parts.clock.whenRunning(task);
  }

  /** The process's time, or the world's if several machines share a store. */
  get #ruleMs(): number {
    const { clock, journal } = this.#parts;
    return clock.nowMs() - (journal.fleet === undefined ? 0 : clock.offsetMs);
  }

  prepared(message: PushMessage): void {
    if (this.#parts.journal.deliveries.has(message.id)) return;
    const call = this.calls.getStore() ?? this.#parts.questionOf(message);
    this.#prepared.set(message.id, { message, call, receivedMs: this.#ruleMs });
  }

  /** The call was answered: what it prepared but was not accepted is dropped. */
  forget(call: CallRecord): void {
    for (const [id, prepared] of this.#prepared) {
      if (prepared.call === call) this.#prepared.delete(id);
    }
  }

  started(message: PushMessage, provider: ProviderName, trust: Trust): AttemptRecord {
    const { journal, timeline, rules, life } = this.#parts;
    const delivery = journal.deliveries.get(message.id) ?? this.#takeOver(message);
    const outage = this.#outages.get(provider);
    const attempt: AttemptRecord = {
      delivery,
      provider,
      life,
      trust,
      startedAtMs: timeline.nowMs,
      ...(outage === undefined ? {} : { probeOf: outage }),
    };
    journal.note('started', `${message.id} ${trust}${outage === undefined ? '' : ' probe'}`);
    journal.count('attempts');
    const inFlight = this.#inFlight[provider];
    rules.attempts.started(attempt, this.#ruleMs, [...inFlight]);
    rules.punctuality.started(attempt);
    this.#quarantines.check(message);
    delivery.attempts.push(attempt);
    inFlight.add(attempt);
    this.#checkBounds(provider);
    return attempt;
  }

  ended(attempt: AttemptRecord): void {
    this.#inFlight[attempt.provider].delete(attempt);
    const kind = attempt.outcome?.kind;
    if (kind !== undefined && kind !== 'retry' && attempt.hasThrown !== true) {
      this.#parts.journal.heard(this.#parts.life, attempt.provider);
    }
    if (kind === 'delivered') this.#quarantines.proved(attempt.delivery.id);
    if (kind === undefined || attempt.hasThrown === true) return;
    const { journal, life, timeline } = this.#parts;
    journal.outages.heard(kind, { life, provider: attempt.provider, atMs: timeline.nowMs });
  }

  observe(event: ServiceEvent): void {
    const { journal, timeline, life } = this.#parts;
    journal.count(event.name);
    switch (event.name) {
      case 'delivery_accepted':
        this.#accept(event.deliveryId);
        break;
      case 'delivery_settled': {
        const record = journal.deliveries.get(event.deliveryId);
        if (record !== undefined) {
          record.seenEnd = { status: event.status, atMs: timeline.nowMs, life };
        }
        journal.note('ended up', `${event.deliveryId} ${event.status}`);
        journal.count(`ended_${event.status}`);
        break;
      }
      case 'attempt_ended': {
        const attempt = journal.deliveries
          .get(event.deliveryId)
          ?.attempts.findLast((one) => one.life === life);
        if (attempt !== undefined) attempt.understood = event.outcome;
        break;
      }
      case 'key_unclaimed':
        this.#unclaimed.add(event.deliveryId);
        break;
      case 'late_answer':
        if (event.outcome !== 'retry') journal.heard(life, event.provider);
        if (event.outcome === 'delivered') this.#quarantines.proved(event.deliveryId);
        break;
      case 'token_held': {
        const { provider, tokenHash, heldForMs } = event;
        journal.held(tokenHash, { life, provider, forMs: heldForMs });
        break;
      }
      case 'breaker_changed':
        journal.note('breaker', `${event.provider} ${event.state}`);
        if (event.state === 'open') {
          this.#outageNumber += 1;
          this.#outages.set(event.provider, this.#outageNumber);
        } else {
          this.#outages.delete(event.provider);
        }
        journal.outages.breakerChanged({
          life,
          provider: event.provider,
          state: event.state,
          atMs: timeline.nowMs,
        });
        break;
      case 'token_quarantined':
        this.#quarantines.began(event.tokenHash, event.provider);
        break;
      case 'condemning_stopped':
        this.#quarantines.pardoned(event.provider);
        break;
      case 'internal_fault':
        if (!isThrownByModel(event.cause)) {
          journal.violate('no mistakes of our own', `${event.where}: ${event.cause}`);
        }
        break;
      case 'lease_lost':
        this.#checkLease(event.deliveryId);
        break;
      default:
    }
  }

  /** A delivery whose key was claimed by a machine that has not reported yet that it accepted it. */
  #takeOver(message: PushMessage): DeliveryRecord {
    const { journal } = this.#parts;
    if (journal.claims.get(message.id)?.storedBy === undefined) {
      throw new Error('a try for what was never accepted');
    }
    const expiresMs = this.#ruleMs + message.remainingMs;
    const delivery = this.#record(message, { call: undefined, expiresMs });
    journal.count('taken_over_unaccepted');
    return delivery;
  }

  #record(
    message: PushMessage,
    { call, expiresMs }: Pick<DeliveryRecord, 'call' | 'expiresMs'>,
  ): DeliveryRecord {
    const { journal, timeline, life } = this.#parts;
    const { id } = message;
    const lifetimeMs = CATALOGUE[message.type]?.lifetimeMs ?? 0;
    const claim = journal.claims.get(id);
    journal.claims.delete(id);
    const delivery: DeliveryRecord = {
      id,
      token: message.token,
      platform: message.platform,
      type: message.type,
      lifetimeMs,
      life,
      call,
      receivedMs: expiresMs - lifetimeMs,
      expiresMs,
      acceptedAtMs: timeline.nowMs,
      attempts: [],
      insert: claim?.insert ?? 'pending',
      isStored: false,
      logged: [],
      unansweredLogged: 0,
      isLeased: false,
    };
    if (claim?.storedBy !== undefined) noteStored(delivery, claim.storedBy);
    if (this.#unclaimed.delete(id)) delivery.isUnclaimed = true;
    journal.deliveries.set(id, delivery);
    return delivery;
  }

  #accept(id: string): void {
    const { journal, rules } = this.#parts;
    const prepared = this.#prepared.get(id);
    if (prepared === undefined) throw new Error('accepted what was never prepared');
    this.#prepared.delete(id);
    // A read of the store, which may have taken a moment, or a pause of the machine came in between.
    const { message, call, receivedMs } = prepared;
    const lifetimeMs = CATALOGUE[message.type]?.lifetimeMs ?? 0;
    const known = journal.deliveries.get(id);
    const delivery = known ?? this.#record(message, { call, expiresMs: receivedMs + lifetimeMs });
    // The process was stopped so long that others took the delivery over.
    if (known !== undefined) Object.assign(known, { call, isUnclaimed: true });
    journal.note('accepted', `${id} ${message.type} call ${call?.number ?? '-'}`);
    if (call !== undefined) call.deliveryId = id;
    this.#quarantines.accepted(delivery);
    rules.answers.accepted(delivery, this.#ruleMs);
  }

  #checkBounds(provider: ProviderName): void {
    const { journal } = this.#parts;
    const inFlight = [...this.#inFlight[provider]];
    // Last attempts ignore every share of the places, up to twice the number of all places.
    const usual = inFlight.filter(({ isLastMoment }) => isLastMoment !== true);
    const unproven = usual.filter(({ trust }) => trust === 'unproven').length;
    const isCrowded = usual.length > MAX_IN_FLIGHT || unproven > MAX_IN_FLIGHT / 4;
    if (isCrowded || inFlight.length > 2 * MAX_IN_FLIGHT) {
      const counts = `${inFlight.length}, usual ${usual.length}, unproven ${unproven}`;
      journal.violate('places are bounded', counts);
    }
    const lane = this.core?.lanes.all.find((candidate) => candidate.provider.name === provider);
    if (lane !== undefined && lane.queued > MAX_QUEUED) {
      journal.violate('queues are bounded', String(lane.queued));
    }
  }

  /** Between events no push is being started or ended, so the lanes must count exactly what the providers have. */
  checkLanes(): void {
    for (const { provider, inFlight } of this.core?.lanes.all ?? []) {
      const sent = this.#inFlight[provider.name].size;
      if (sent === inFlight) continue;
      this.#parts.journal.violate('places are given back', `${inFlight} taken, ${sent} sent`);
    }
  }

  #checkLease(id: string): void {
    const { journal, weather, timeline, life } = this.#parts;
    const record = journal.deliveries.get(id);
    const acceptedAtMs = record?.acceptedAtMs ?? 0;
    if (this.isStopping || hadDiskTrouble(weather, acceptedAtMs, timeline.nowMs)) return;
    // Another machine may have it or has renewed it, or its phone proved it there.
    if (journal.fleet?.wasDeclaredDead(life) === true) return;
    const hasMoved = record?.final !== undefined || record?.renewedAtMs !== undefined;
    if (journal.fleet !== undefined && hasMoved) return;
    journal.violate('leases outlast sends', id);
  }
}
