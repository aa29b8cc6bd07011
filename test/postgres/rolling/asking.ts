// Callers that ask phones for an invoice, as Boltz does, and the phones, which reply after a while: long enough for the
// machine that asked to be stopped meanwhile.

import type { ReceivedPush } from '../../../sandbox/records.ts';
import type { Sandbox } from '../../../sandbox/sandbox.ts';
import { createCaller } from '../../chaos/caller.ts';

/** Waits grow up to the longest one, which every tenth phone has. */
const WAITS = 10;
const TOKEN = /^asked-(\d+):/;

export interface AskingOptions {
  readonly sandbox: Pick<Sandbox, 'onPush'>;
  readonly everyMs: number;
  /** A phone replies at once, after this time, or after something between. */
  readonly longestWaitMs: number;
  /** The proxy's address, for callers and phones alike. */
  readonly url: () => string;
}

export interface Asked {
  readonly requests: number;
  /** Questions whose caller got the bytes of its own phone. */
  readonly answered: number;
  /** Questions whose reply came to a machine other than the one that asked. */
  readonly forwarded: number;
  /** The answers of the other callers, such as `503 unavailable`. */
  readonly refused: readonly string[];
}

export class Asking {
  readonly #options: AskingOptions;
  readonly #callers = createCaller();
  readonly #calls: Promise<string>[] = [];
  /** By phone: the ports of the machines that got the question and the reply. */
  readonly #machines = new Map<number, number[]>();
  readonly #phoneOfReply = new Map<string, number>();
  readonly #forget: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AskingOptions) {
    this.#options = options;
    this.#forget = options.sandbox.onPush((push) => this.#arrive(push));
  }

  start(): void {
    this.#timer = setInterval(() => this.#calls.push(this.#ask()), this.#options.everyMs);
  }

  /** Called by the proxy. */
  sent(path: string, port: number): void {
    const phone = this.#phoneOfReply.get(path) ?? phoneOf(new URL(path, 'http://proxy'));
    if (phone !== undefined)
      this.#machines.set(phone, [...(this.#machines.get(phone) ?? []), port]);
  }

  /** Stops asking, and resolves when every call has its answer. */
  async end(): Promise<Asked> {
    clearInterval(this.#timer);
    const told = await Promise.all(this.#calls);
    this.#forget();
    this.#callers.close();
    return {
      requests: told.length,
      answered: told.filter((answer) => answer === 'replied').length,
      forwarded: [...this.#machines.values()].filter((ports) => new Set(ports).size > 1).length,
      refused: told.filter((answer) => answer !== 'replied'),
    };
  }

  async #ask(): Promise<string> {
    const phone = this.#calls.length;
    const token = `asked-${phone}:APA91bRolling`;
    const path = `/api/v1/notify?${new URLSearchParams({ platform: 'android', token })}`;
    const data = { offer: 'lno1qq', invoiceRequest: `lnr1${phone}` };
    const body = JSON.stringify({ event: 'invoice.request', data });
    const answer = await this.#callers.post(this.#options.url(), { path, body });
    if (answer?.status === 200 && answer.body.id === invoiceOf(phone)) return 'replied';
    return answer === undefined
      ? 'broken'
      : `${answer.status} ${answer.body.code ?? 'another body'}`;
  }

  #arrive({ token, data }: ReceivedPush): void {
    const phone = Number(TOKEN.exec(token)?.[1] ?? Number.NaN);
    if (Number.isNaN(phone)) return;
    const { reply_url: address } = JSON.parse(data.notification_payload ?? '{}');
    const { pathname: path } = new URL(address);
    this.#phoneOfReply.set(path, phone);
    const waitMs = ((phone % WAITS) / (WAITS - 1)) * this.#options.longestWaitMs;
    const body = JSON.stringify({ id: invoiceOf(phone) });
    setTimeout(() => void this.#callers.post(this.#options.url(), { path, body }), waitMs);
  }
}

function phoneOf({ searchParams }: URL): number | undefined {
  const found = TOKEN.exec(searchParams.get('token') ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

function invoiceOf(phone: number): string {
  return `invoice-${phone}`;
}
