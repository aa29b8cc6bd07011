// The outbox of an e-mail endpoint: what an operator has to know at once, and everything else as a digest.
//
// Its cursor is the last alert that was mailed to it. The store counts all its events as they are recorded; after the hour
// or the day those counts are the digest, and what was mailed is subtracted. One mail at a time. A mail that fails is tried
// again by the same schedule as calls (schedule.ts), with what came meanwhile.

import type {
  AttemptNote,
  DigestCount,
  Endpoint,
  Mail,
  MailSender,
  PendingAlert,
  StoredEndpoint,
  Trouble,
  VendorEvent,
} from '../ports/events.ts';
import { noteOf, type Sent } from './calls.ts';
import { isWished } from './catalogue.ts';
import { boundaryOf, digestId } from './digest.ts';
import type { Concluded } from './failures.ts';
import { Outbox, type OutboxParts } from './outbox.ts';
import { MAX_TROUBLES, Troubles, troubleOf } from './troubles.ts';

/** As many attempts as the store keeps. */
const MAX_UNWRITTEN = 100;

export interface MailOutboxParts extends OutboxParts {
  readonly mail: MailSender;
}

/** One mail, its events, and the cursor of the endpoint once the mail is accepted. */
interface Letter {
  readonly id: string;
  readonly mail: Mail;
  readonly about: readonly (Pick<Trouble, 'type'> & { readonly id: string })[];
  readonly cursor?: number | undefined;
  readonly digested?: readonly DigestCount[] | undefined;
}

export class MailOutbox extends Outbox {
  readonly #parts: MailOutboxParts;
  readonly #troubles: Troubles;
  /** The hour or day up to which digests were sent. */
  #digestedUntilMs = 0;
  /** Records that a failing store could not take. Without them the next digest would repeat the same events. */
  #unwritten: AttemptNote[] = [];

  constructor(parts: MailOutboxParts, stored: StoredEndpoint) {
    super(parts, stored);
    this.#parts = parts;
    this.#troubles = new Troubles(parts.clock);
  }

  override change(stored: StoredEndpoint): void {
    this.#digestedUntilMs = 0;
    super.change(stored);
  }

  /** Takes a trouble that is in no table: a failing store, or another endpoint that fails. Does not read the store. */
  tell(trouble: Trouble): void {
    const { type, endpointId, app } = trouble;
    const asEvent = { type: 'endpoint.disabled', endpointId, app };
    if (type === 'mail.endpoint_failing' && !isWished(this.wish, asEvent)) return;
    if (this.endpoint.status !== 'enabled') return;
    this.#troubles.add(trouble);
    this.nudge();
  }

  /** The store works again. */
  storeRecovered(): void {
    this.#troubles.end('mail.store_failed');
  }

  protected sendOne(event: VendorEvent): Promise<Sent> {
    const isTest = event.type === 'test.ping';
    const mail: Mail = isTest ? { kind: 'test' } : { kind: 'alert', troubles: [troubleOf(event)] };
    return this.#send({ id: event.id, mail, about: [event] });
  }

  /** True if there may be more. */
  protected async sendNext(): Promise<boolean> {
    const letter = this.#nextNotice() ?? (await this.#nextOfStore());
    if (letter === undefined || !this.rounds.mayRun) return false;
    const sent = await this.#send(letter);
    if (this.isMoot(sent)) return false;
    return await this.#conclude(letter, sent);
  }

  #nextNotice(): Letter | undefined {
    const troubles = this.#troubles.due();
    const about = troubles.map(({ type, atMs, reason, endpointId }) => {
      const id = `evt_${[type, endpointId, reason, atMs].join('_').replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
      return { id, type };
    });
    if (about.length === 0) return undefined;
    return { id: mailId(about), mail: { kind: 'alert', troubles }, about };
  }

  async #nextOfStore(): Promise<Letter | undefined> {
    await this.#write();
    return (await this.#nextAlert()) ?? (await this.#nextDigest());
  }

  async #nextAlert(): Promise<Letter | undefined> {
    const { store } = this.#parts;
    const query = { endpointId: this.endpoint.id, limit: MAX_TROUBLES };
    for (;;) {
      const { cursor } = this.progress;
      const pending = await store.nextAlerts({ ...query, afterRowId: cursor });
      const last = pending.at(-1)?.event.rowId;
      if (last === undefined) break;
      const alerts = this.#troubles.newOf(
        pending.filter(({ event }) => isWished(this.wish, event)),
      );
      if (alerts.length > 0) return letterOf(alerts, last);
      // These are known already; after a restart they are read again.
      this.skipTo(Math.max(last, this.progress.cursor));
    }
    const held = this.#troubles.heldUntilNow();
    if (held === undefined) return undefined;
    const [again] = await store.nextAlerts({ ...query, afterRowId: held - 1, limit: 1 });
    if (again?.event.rowId === held && again.endedAtMs === undefined) {
      return letterOf([again], this.progress.cursor);
    }
    this.#troubles.release(held);
    return await this.#nextAlert();
  }

  async #nextDigest(): Promise<Letter | undefined> {
    const { store, clock } = this.#parts;
    const { id, digest: period = 'daily' } = this.endpoint;
    const boundaryMs = boundaryOf(period, clock.wallMs());
    if (boundaryMs <= this.#digestedUntilMs) return undefined;
    const counts = await store.readDigest(id);
    if (counts === undefined) return undefined;
    if (!counts.some(({ fromMs }) => fromMs < boundaryMs)) {
      this.#digestedUntilMs = boundaryMs;
      return undefined;
    }
    const letterId = digestId(id, counts);
    const about = [{ id: letterId, type: 'mail.digest' }] as const;
    return { id: letterId, mail: { kind: 'digest', period, counts }, about, digested: counts };
  }

  async #send({ id, mail, about }: Letter): Promise<Sent> {
    const { clock, observer, mail: sender } = this.#parts;
    const startedAtMs = clock.nowMs();
    const result = await sender.send({ to: this.endpoint.url, id, mail });
    const latencyMs = clock.nowMs() - startedAtMs;
    const { verdict } = result;
    for (const { type } of about) {
      observer.observe({ name: 'event_sent', type, outcome: verdict, latencyMs });
    }
    return { ...result, latencyMs };
  }

  /** Records the attempt. True if the next mail may be sent. */
  async #conclude(letter: Letter, sent: Sent): Promise<boolean> {
    const { observer, clock } = this.#parts;
    const { mail } = letter;
    const endpoint = this.endpoint;
    const { cursor } = this.progress;
    const concluded = this.conclude(sent, Math.max(cursor, letter.cursor ?? cursor));
    const { isOver, isFirstFailure } = concluded;
    if (isOver && mail.kind === 'alert') this.#troubles.told(mail.troubles);
    if (isOver && mail.kind === 'digest') {
      this.#digestedUntilMs = boundaryOf(mail.period, clock.wallMs());
    }
    if (isFirstFailure) {
      const { reason = 'unknown', status } = sent;
      observer.observe({ name: 'mail_failed', endpointId: endpoint.id, reason, status });
    }
    await this.#note(endpoint, letter, { sent, concluded });
    return isOver;
  }

  /** Records one attempt for each event of an accepted mail, so that the log shows each as sent. */
  async #note(
    endpoint: Endpoint,
    { about, digested }: Letter,
    { sent, concluded }: { readonly sent: Sent; readonly concluded: Concluded },
  ): Promise<void> {
    const { progress, isOver, isSkipped, disabledReason } = concluded;
    const atMs = this.#parts.clock.wallMs();
    const told = sent.verdict === 'delivered' ? about : about.slice(0, 1);
    const notes = told.map((one, index) => {
      const note = noteOf(endpoint, one, { sent, atMs, isSkipped });
      if (index < told.length - 1) return note;
      return { ...note, progress, digested: isOver ? digested : undefined, disabledReason };
    });
    this.#unwritten = [...this.#unwritten, ...notes].slice(-MAX_UNWRITTEN);
    await this.#write();
  }

  async #write(): Promise<void> {
    for (let [note] = this.#unwritten; note !== undefined; [note] = this.#unwritten) {
      await this.#parts.store.noteAttempt(note);
      this.#unwritten.shift();
    }
  }
}

function letterOf(alerts: readonly PendingAlert[], cursor: number): Letter {
  const about = alerts.map(({ event: { id, type } }) => ({ id, type }));
  const troubles = alerts.map(({ event, endedAtMs }) => troubleOf(event, endedAtMs));
  return { id: mailId(about), mail: { kind: 'alert', troubles }, about, cursor };
}

/** Differs when the content differs: a mailbox that drops repeats must not drop new content. */
function mailId(about: Letter['about']): string {
  const id = about.at(-1)?.id ?? '';
  return about.length === 1 ? id : `${id}_${about.length}`;
}
