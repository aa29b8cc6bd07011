// The callers: LSPs that post, repeat calls that they consider lost, and come in floods; strangers with invented
// tokens; and callers who wait for a phone's reply.

import type { Origin } from '../../src/core/delivery.ts';
import { CATALOGUE, completeNotification, type Notification } from '../../src/core/notification.ts';
import type { PushMessage } from '../../src/core/ports/provider.ts';
import type { Recipient } from '../../src/core/target.ts';
import type { Core } from '../../src/service/core.ts';
import { parseBreezBody } from '../../src/sources/breez.ts';
import type { CallRecord, Journal, Told } from './journal.ts';
import type { Life } from './life.ts';
import type { Phone, Phones } from './phones.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { type Span, spanAt } from './weather.ts';

const CALLS_PER_SECOND = 26;
/** A small vendor's day: one or a few deliveries wait at a time. */
const QUIET_CALLS_PER_SECOND = 0.3;
const REPLY_URL = 'https://nds.example.com/api/v1/response/';
const QUESTION_MS = 50_000;
const MAX_REPEATS = 3;

type Kind =
  | 'payment_received'
  | 'lnurlpay_info'
  | 'tx_confirmed'
  | 'swap'
  | 'nwc_event'
  | 'question';

const KINDS: Readonly<Record<Kind, number>> = {
  payment_received: 50,
  lnurlpay_info: 15,
  tx_confirmed: 8,
  swap: 10,
  nwc_event: 14,
  question: 3,
};

interface Plan {
  readonly phone: Phone;
  readonly kind: Kind;
  readonly subject: string;
  repeats: number;
}

export interface CallersParts {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly phones: Phones;
  readonly journal: Journal;
  readonly life: () => Life | undefined;
  /** The number of deliveries that must have been accepted, and the time until which calls continue in any case. */
  readonly deliveries: number;
  readonly untilMs: number;
  readonly floodsAtMs: readonly number[];
  readonly quietSpans: readonly Span[];
}

export class Callers {
  readonly #parts: CallersParts;
  readonly #plans = new Map<CallRecord, Plan>();
  readonly #questions = new Map<string, CallRecord>();
  #subjects = 0;
  #planned = 0;

  constructor(parts: CallersParts) {
    this.#parts = parts;
  }

  start(): void {
    const { timeline, random, floodsAtMs } = this.#parts;
    for (const atMs of floodsAtMs) timeline.after(atMs, () => this.#come(random.whole(200, 500)));
    this.#arrive();
  }

  /** Whether no more calls will come. */
  get isDone(): boolean {
    return this.#isEnough && this.#planned === 0;
  }

  questionOf(message: PushMessage): CallRecord | undefined {
    const payload: unknown = JSON.parse(message.payload);
    if (typeof payload !== 'object' || payload === null || !('invoice_request' in payload)) {
      return undefined;
    }
    return this.#questions.get(String(payload.invoice_request));
  }

  told(call: CallRecord, told: Told): void {
    const { random, journal } = this.#parts;
    journal.count(`told_${told.status === 'refused' ? told.code : told.status}`);
    if (told.status === 'refused') {
      const isWorthIt = WORTH_A_REPEAT.has(told.code);
      if (isWorthIt && random.chance(0.5)) this.#repeat(call, random.between(0, 3_000));
      // Some callers ignore a refusal.
      else if (random.chance(0.05)) this.#repeat(call, random.between(0, 50));
    } else if (random.chance(0.06)) {
      this.#repeat(call, random.chance(0.5) ? random.between(0, 200) : random.between(0, 30_000));
    }
  }

  cut(call: CallRecord): void {
    const { random } = this.#parts;
    if (random.chance(0.7)) this.#repeat(call, random.between(500, 8_000));
  }

  get #isEnough(): boolean {
    const { journal, deliveries, timeline, untilMs } = this.#parts;
    return journal.deliveries.size >= deliveries && timeline.nowMs >= untilMs;
  }

  /** Calls come in bunches, as blocks and multi-part payments do. */
  #arrive(): void {
    if (this.#isEnough) return;
    const { timeline, random } = this.#parts;
    const isQuiet = spanAt(this.#parts.quietSpans, timeline.nowMs) !== undefined;
    const calls = isQuiet ? 1 : random.whole(1, 9);
    const perSecond = isQuiet ? QUIET_CALLS_PER_SECOND : CALLS_PER_SECOND;
    timeline.after((2 * random.fraction() * calls * 1_000) / perSecond, () => {
      this.#come(calls);
      this.#arrive();
    });
  }

  #come(calls: number): void {
    const { random, phones } = this.#parts;
    const favourite = random.chance(0.05) ? phones.pick() : undefined;
    for (let call = 0; call < calls; call += 1) {
      this.#subjects += 1;
      const phone = favourite ?? (random.chance(0.08) ? phones.invent() : phones.pick());
      const plan: Plan = {
        phone,
        kind: random.choose(KINDS),
        subject: `subject-${this.#subjects}`,
        repeats: 0,
      };
      this.#put(plan);
      if (random.chance(0.06)) this.#later(plan, random.between(0, random.pick([3, 100])));
    }
  }

  #repeat(call: CallRecord, delayMs: number): void {
    const plan = this.#plans.get(call);
    if (plan === undefined || plan.repeats >= MAX_REPEATS) return;
    plan.repeats += 1;
    this.#later(plan, delayMs);
  }

  #later(plan: Plan, delayMs: number): void {
    this.#planned += 1;
    this.#parts.timeline.after(delayMs, () => {
      this.#planned -= 1;
      this.#put(plan);
    });
  }

  #put(plan: Plan): void {
    const life = this.#parts.life();
    if (life?.isServing !== true) {
      this.#parts.journal.count('nobody_listens');
      if (plan.repeats >= MAX_REPEATS) return;
      plan.repeats += 1;
      this.#later(plan, this.#parts.random.between(500, 3_000));
      return;
    }
    const parsed = parseBreezBody(Buffer.from(bodyOf(plan)));
    const { phone } = plan;
    const target = { app: 'default', platform: phone.platform, token: phone.token };
    const recipient: Recipient = { target, source: 'notify', origin: originOf(life) };
    if (parsed.kind === 'ignored') throw new Error('callers send nothing to be ignored');
    if (parsed.kind === 'question') {
      this.#ask(life, plan, recipient, (replyId) =>
        completeNotification(parsed.notification(`${REPLY_URL}${replyId}`), CATALOGUE),
      );
      return;
    }
    const notification = completeNotification(parsed.notification, CATALOGUE);
    const record = this.#record(life, plan, notification.duplicateOf?.windowMs ?? 0);
    life.call(record, (core) => core.dispatcher.accept(notification, recipient));
  }

  #ask(
    life: Life,
    plan: Plan,
    recipient: Recipient,
    notification: (replyId: string) => Notification,
  ): void {
    const { random, timeline } = this.#parts;
    const record = this.#record(life, plan, 0);
    this.#questions.set(plan.subject, record);
    const hangUp = new AbortController();
    if (random.chance(0.1)) timeline.after(random.between(0, 20_000), () => hangUp.abort());
    const question = { recipient, key: plan.subject, deadlineMs: QUESTION_MS, notification };
    life.call(record, async (core: Core): Promise<Told> => {
      await core.asker.ask(question, hangUp.signal);
      return { status: 'replied' };
    });
  }

  #record(life: Life, plan: Plan, windowMs: number): CallRecord {
    const { journal, timeline } = this.#parts;
    const record: CallRecord = {
      number: journal.calls.length,
      life: life.number,
      isQuestion: plan.kind === 'question',
      platform: plan.phone.platform,
      token: plan.phone.token,
      key: `${plan.kind} ${plan.phone.token} ${plan.subject}`,
      windowMs,
      startedAtMs: timeline.nowMs,
    };
    journal.calls.push(record);
    journal.note('call', `${record.number} ${plan.kind} ${plan.subject}`);
    this.#plans.set(record, plan);
    return record;
  }
}

const WORTH_A_REPEAT: ReadonlySet<string> = new Set([
  'expired',
  'overloaded',
  'rate_limited',
  'shutting_down',
  'store_unavailable',
  'provider_misconfigured',
  'provider_unavailable',
  'token_throttled',
  'internal',
]);

function bodyOf({ kind, subject }: Plan): string {
  switch (kind) {
    case 'payment_received':
      return JSON.stringify({ template: kind, data: { payment_hash: subject } });
    case 'lnurlpay_info':
      return JSON.stringify({
        template: kind,
        data: { callback_url: 'https://lnurl.example.com', reply_url: subject },
      });
    case 'tx_confirmed':
      return JSON.stringify({ template: kind, data: { tx_id: subject } });
    case 'nwc_event':
      return JSON.stringify({ template: kind, data: { event: subject } });
    case 'swap':
      return JSON.stringify({ event: 'swap.update', data: { id: subject, status: 'paid' } });
    case 'question':
      return JSON.stringify({
        event: 'invoice.request',
        data: { offer: 'lno1', invoiceRequest: subject },
      });
  }
}

/** The origin of a call over HTTP, whose delivery has the id of its request. */
function originOf(life: Life): Origin {
  const [door, source] = ['/api/v1/notify', 'notify'];
  return { door, source, requestId: life.newId(), isBroadcast: false };
}
