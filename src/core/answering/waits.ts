// Callers that wait for their answer: until the push and its row have an end, or the answer deadline.

import { ServiceError } from '../errors.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import { type Answer, answerOf, type Known } from './answers.ts';
import type { Dispatch } from './dispatcher.ts';

/** Whether the caller was answered `queued`. */
export interface Promised {
  made: boolean;
}

export class Waits {
  readonly #parts: { readonly clock: Clock; readonly policy: Policy };
  /** Ends the wait of each caller that still waits. */
  readonly #waiting = new Set<() => void>();

  constructor(parts: { readonly clock: Clock; readonly policy: Policy }) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Answers all, as at the answer deadline. */
  hurry(): void {
    for (const over of this.#waiting) over();
  }

  /** As soon as the end of the push and its row, or the answer deadline, allow an answer. */
  answer(
    { delivery, end, row }: Dispatch,
    { calledAtMs, promise }: { readonly calledAtMs: number; readonly promise: Promised },
  ): Promise<Answer> {
    const { clock, policy } = this.#parts;
    const { promise: answered, resolve, reject } = Promise.withResolvers<Answer>();
    const known: Known = { end: undefined, row: undefined, over: false };
    // Called two or three times; what comes after the answer changes nothing.
    const decide = () => {
      const answer = answerOf(delivery, known);
      if (answer === undefined) return;
      leave();
      if (answer instanceof ServiceError) return reject(answer);
      promise.made ||= answer.status === 'queued';
      resolve(answer);
    };
    const hurry = () => {
      known.over = true;
      decide();
    };
    const passedMs = clock.nowMs() - calledAtMs;
    const timer = clock.after(Math.max(0, policy.answerDeadlineMs - passedMs), hurry);
    this.#waiting.add(hurry);
    const leave = () => {
      timer.cancel();
      this.#waiting.delete(hurry);
    };
    const fail = (cause: unknown) => {
      leave();
      reject(cause);
    };
    end.then((sent) => {
      known.end = sent;
      decide();
    }, fail);
    row.then((inserted) => {
      known.row = inserted;
      decide();
    }, fail);
    return answered;
  }
}
