// The whole service in this process, as `npm start` wires it, against stand-ins of APNs and FCM.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { standInEnvironment } from '../../sandbox/environment.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { type Service, startService } from '../../src/main.ts';
import type { Log } from '../../src/observe/log.ts';
import { prepare } from '../../src/service/prepare.ts';

import { createSystemClock } from '../../src/service/system.ts';
import { MEMORY_FOLDER } from './memory-folder.ts';
import { createSecretWatch } from './secret-watch.ts';

export const IOS_TOKEN = '9f2c0a7be61d4c58a3f0b1d2e3c4f5061728394a5b6c7d8e9fa0b1c2d3e4f506';
export const ANDROID_TOKEN = 'dQw4w9WgXcQ-Ex_1:APA91bExampleTokenForTests';
export const EXTERNAL_URL = 'https://nds.example.com';

export interface SpokenLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A log that a test can read. */
export interface TestLog extends Log {
  readonly events: ServiceEvent[];
  readonly lines: SpokenLine[];
  /** Resolves with the first `count` matching events, past ones included. */
  waitFor(
    matches: (event: ServiceEvent) => boolean,
    count?: number,
  ): Promise<readonly ServiceEvent[]>;
}

export function createTestLog(): TestLog {
  const events: ServiceEvent[] = [];
  const lines: SpokenLine[] = [];
  const listeners = new Set<() => void>();
  const waitFor = async (matches: (event: ServiceEvent) => boolean, count = 1) => {
    const found: ServiceEvent[] = [];
    let seen = 0;
    for (;;) {
      found.push(...events.slice(seen).filter(matches));
      seen = events.length;
      if (found.length >= count) return found.slice(0, count);
      const { promise, resolve } = Promise.withResolvers<void>();
      listeners.add(resolve);
      await promise;
      listeners.delete(resolve);
    }
  };
  return {
    events,
    lines,
    waitFor,
    observer: {
      observe: (event) => {
        events.push(event);
        for (const wake of listeners) wake();
      },
    },
    say: (level, message, fields = {}) => lines.push({ level, message, fields }),
    close: async () => {},
  };
}

/** The variables with which a service reaches the stand-ins. */
export function sandboxEnvironment(sandbox: Sandbox, folder: string): Record<string, string> {
  return {
    ...standInEnvironment(sandbox, folder),
    NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
    NOTIFY_EXTERNAL_URL: EXTERNAL_URL,
    NDS_SECRET: 'a secret for tests only',
  };
}

export function temporaryFolder(onEnd: OnEnd = onTestFinished, parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'nds-test-'));
  // A service that a test's clock has stopped may still be closing its files.
  onEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  return folder;
}

export interface Setup {
  readonly sandbox: Sandbox;
  readonly service: Service;
  readonly log: TestLog;
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** POSTs as the LSPs do, but asks for JSON, so that a test can read what happened. */
  post(path: string, body: string | Uint8Array, init?: RequestInit): Promise<Response>;
  /** POSTs a payment_received for a token. */
  notify(token: string, paymentHash: string): Promise<Response>;
  /** Stops the service and starts another one on the same database. */
  restart(environment?: Record<string, string>): Promise<Service>;
}

/** Registers a function to run at the end; the last one registered runs first. */
export type OnEnd = (end: () => Promise<void> | void) => void;

export interface SetupOptions {
  /** When to take it down: after the test, unless several tests share it. */
  readonly onEnd?: OnEnd | undefined;
  readonly clock?: Clock;
  readonly environment?: Record<string, string | undefined>;
  readonly sandbox?: SandboxOptions;
  /** Puts something between the service and its store. */
  readonly wrapStore?: (store: Store) => Store;
  /** Whether the start proves its credentials to the providers, which counts as a request; default no. */
  readonly proves?: boolean;
}

/** Starts everything on free ports and takes it down when the test is over. */
export async function setup(options: SetupOptions = {}): Promise<Setup> {
  const { clock, onEnd = onTestFinished } = options;
  const folder = temporaryFolder(onEnd, MEMORY_FOLDER);
  const sandbox = await startSandbox({
    ...(clock === undefined ? {} : { now: () => clock.wallMs() }),
    ...options.sandbox,
  });
  const environment = withoutUndefined({
    ...sandboxEnvironment(sandbox, folder),
    ...options.environment,
  });
  const log = createTestLog();
  const systemClock = clock ?? createSystemClock();
  const { wrapStore, proves = false } = options;
  const overrides = {
    clock: systemClock,
    proves,
    ...(wrapStore === undefined ? {} : { wrapStore }),
  };
  let service = await startService(await prepare(environment, systemClock), log, overrides);
  const watch = createSecretWatch(environment);
  onEnd(async () => {
    await service.stop();
    await sandbox.close();
    const written = { 'the log': JSON.stringify([log.events, log.lines]) };
    expect(watch.find(written, folder)).toEqual([]);
  });
  const post = (path: string, body: string | Uint8Array, init: RequestInit = {}) => {
    watch.called(path);
    return fetch(`${service.url}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      ...init,
      headers: asksForJson(init.headers ?? { 'content-type': 'application/json' }),
    });
  };
  return {
    sandbox,
    get service() {
      return service;
    },
    log,
    folder,
    environment,
    post,
    notify: (token, paymentHash) =>
      post(
        notifyPath(token),
        JSON.stringify({
          template: 'payment_received',
          data: { payment_hash: paymentHash },
        }),
      ),
    restart: async (changed = {}) => {
      await service.stop();
      service = await startService(
        await prepare({ ...environment, ...changed }, systemClock),
        log,
        overrides,
      );
      return service;
    },
  };
}

function asksForJson(given: RequestInit['headers']): Headers {
  const headers = new Headers(given);
  if (!headers.has('accept')) headers.set('accept', 'application/json');
  return headers;
}

export function notifyPath(token: string, extra: Record<string, string> = {}): string {
  const platform = /^[0-9a-f]+$/i.test(token) ? 'ios' : 'android';
  return `/api/v1/notify?${new URLSearchParams({ platform, token, ...extra })}`;
}

function withoutUndefined(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries(variables).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
