// The access token in hand: fetched ahead of the first push, renewed in the background before it ends, one
// fetch at a time, and never waited for longer than the push can wait.

import type { Clock, Timer } from '../../core/ports/clock.ts';
import {
  type AccessToken,
  requestToken,
  type TokenOptions,
  type TokenResult,
  tokenUnavailable,
} from './google-token.ts';

/**
 * Google's endpoint answers in about 100 ms. Shorter than the 2 s that the core waits for an attempt, so that
 * the next attempt asks again instead of waiting for the same lost connection.
 */
const FETCH_TIMEOUT_MS = 1_800;
const REFRESH_AHEAD_MS = 5 * 60_000;
const RETRY_MS = 30_000;
/** A refused credential stays refused, so Google is not asked again for every push. */
const REFUSED_MEMORY_MS = 10_000;
/** A token that FCM refuses although it is this young was not refused for its age. */
const RENEW_GAP_MS = 60_000;

/** Found without an answer from Google. If the credential gave a token before, this is an outage. */
const FOUND_ALONE = new Set(['oauth_no_credentials', 'credential_unusable']);

/** Reasons that mean that there is no access token, whatever FCM answered to the last one. */
export function isTokenFailure(reason: string): boolean {
  return reason.startsWith('oauth_') || reason === 'credential_unusable';
}

export class AccessTokenCache {
  readonly #options: TokenOptions;
  readonly #clock: Clock;
  #token: AccessToken | undefined;
  #hasWorked = false;
  #fetching: Promise<TokenResult> | undefined;
  #refused: { readonly result: TokenResult; readonly untilMs: number } | undefined;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #refresh: Timer | undefined;
  #abort: AbortController | undefined;
  #closed = false;

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** The current token, if it is still valid. */
  get current(): AccessToken | undefined {
    const token = this.#token;
    return token !== undefined && this.#clock.nowMs() < token.expiresAtMs ? token : undefined;
  }

  /** Waits for a token, at most `waitMs`; the fetch continues for later callers. Never rejects. */
  wait(waitMs: number): Promise<TokenResult> {
    const token = this.current;
    if (token !== undefined) return Promise.resolve({ kind: 'token', token });
    if (this.#closed) return Promise.resolve(tokenUnavailable('closed', 'not_started'));
    const refused = this.#refused;
    if (refused !== undefined && this.#clock.nowMs() < refused.untilMs) {
      return Promise.resolve(refused.result);
    }
    return new Promise((resolve) => {
      const timer = this.#clock.after(waitMs, () =>
        resolve(tokenUnavailable('oauth_timeout', 'not_started')),
      );
      void this.#fetch().then((result) => {
        timer.cancel();
        resolve(result);
      });
    });
  }

  /** FCM refused `token`. True if another one is or will be available: trying again makes sense. */
  replaceRefused(token: AccessToken): boolean {
    if (token !== this.#token) return true;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#renewedAtMs < RENEW_GAP_MS) return false;
    this.#renewedAtMs = nowMs;
    this.#token = undefined;
    void this.#fetch();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#refresh?.cancel();
    this.#abort?.abort();
  }

  #fetch(): Promise<TokenResult> {
    this.#fetching ??= this.#fetchOnce().then((result) => {
      this.#fetching = undefined;
      this.#remember(result);
      return result;
    });
    return this.#fetching;
  }

  #fetchOnce(): Promise<TokenResult> {
    const abort = new AbortController();
    this.#abort = abort;
    return new Promise((resolve) => {
      const timer = this.#clock.after(FETCH_TIMEOUT_MS, () => {
        resolve(tokenUnavailable('oauth_timeout'));
        abort.abort();
      });
      void requestToken(this.#options, abort.signal).then((result) => {
        timer.cancel();
        resolve(
          this.#hasWorked && isFoundAlone(result) ? tokenUnavailable('oauth_unavailable') : result,
        );
      });
    });
  }

  #remember(result: TokenResult): void {
    const nowMs = this.#clock.nowMs();
    if (result.kind === 'token') {
      this.#token = result.token;
      this.#hasWorked = true;
      this.#refused = undefined;
      const lifetimeMs = result.token.expiresAtMs - nowMs;
      this.#schedule(lifetimeMs - Math.min(REFRESH_AHEAD_MS, lifetimeMs / 4));
    } else {
      if (result.outcome.kind === 'misconfigured') {
        this.#refused = { result, untilMs: nowMs + REFUSED_MEMORY_MS };
      }
      this.#schedule(RETRY_MS);
    }
  }

  #schedule(delayMs: number): void {
    this.#refresh?.cancel();
    if (this.#closed) return;
    this.#refresh = this.#clock.after(delayMs, () => void this.#fetch());
  }
}

function isFoundAlone(result: TokenResult): boolean {
  return (
    result.kind === 'failure' &&
    result.outcome.kind === 'misconfigured' &&
    FOUND_ALONE.has(result.outcome.reason)
  );
}
