// The live stream: which events a reader gets, how it catches up after a cut, and that no reader delays anything.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { LiveEvents } from '../../../src/core/operating/live-events.ts';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import type { HttpEnv } from '../../../src/http/context.ts';
import { handleStream, streamEvent } from '../../../src/http/operator/stream.ts';
import { refusalOf } from '../../support/callers.ts';
import { androidToken, setupDriven } from '../../support/driven-service.ts';
import { turn } from '../../support/intercept-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { KEYS, OPERATOR_ENVIRONMENT, operate } from '../../support/operator-calls.ts';
import type { Setup } from '../../support/service.ts';

interface StreamEvent {
  readonly name: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
}

interface Reader {
  readonly status: number;
  readonly contentType: string | undefined;
  /** Everything that arrived so far, unchanged. */
  readonly text: string;
  /** Resolves with the events so far, once there are this many. */
  events(count: number): Promise<readonly StreamEvent[]>;
  /** Resolves when the text contains this. */
  has(text: string): Promise<void>;
  readonly ended: Promise<void>;
  close(): void;
}

const SETTLED: ServiceEvent = {
  name: 'delivery_settled',
  deliveryId: '01988000-0000-7000-8000-000000000000',
  app: 'default',
  provider: 'fcm',
  type: 'payment_received',
  status: 'delivered',
  attempts: 1,
  sinceReceiptMs: 0,
};

async function start() {
  return await setupDriven({ environment: OPERATOR_ENVIRONMENT });
}

function open(running: Setup, query = '', headers: Record<string, string> = {}): Promise<Reader> {
  const { promise, resolve, reject } = Promise.withResolvers<Reader>();
  const outgoing = request(`${running.service.url}/api/v1/stream${query}`, {
    agent: false,
    headers: { authorization: `Bearer ${KEYS.read}`, ...headers },
  });
  outgoing.on('error', reject);
  outgoing.on('response', (response) => {
    let text = '';
    const listeners = new Set<() => void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    response.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      for (const look of listeners) look();
    });
    response.on('error', () => {});
    response.on('close', end);
    const until = async (isThere: () => boolean) => {
      const { promise: found, resolve: find } = Promise.withResolvers<void>();
      const look = () => {
        if (isThere()) find();
      };
      listeners.add(look);
      look();
      await found;
      listeners.delete(look);
    };
    resolve({
      status: response.statusCode ?? 0,
      contentType: response.headers['content-type'],
      get text() {
        return text;
      },
      events: async (count) => {
        await until(() => eventsOf(text).length >= count);
        return eventsOf(text);
      },
      has: (wanted) => until(() => text.includes(wanted)),
      ended,
      close: () => outgoing.destroy(),
    });
  });
  outgoing.end();
  onTestFinished(() => {
    outgoing.destroy();
  });
  return promise;
}

function eventsOf(text: string): readonly StreamEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const {
        event,
        id = '',
        data,
      } = Object.fromEntries(
        block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
      );
      return event === undefined
        ? []
        : [
            {
              name: event,
              id,
              data: event === 'gap' ? {} : streamEvent.parse(JSON.parse(data ?? '')),
            },
          ];
    });
}

test('sends deliveries, attempts and refused calls as they happen', async () => {
  const { running, pay, clock } = await start();
  const reader = await open(running);
  expect([reader.status, reader.contentType]).toEqual([200, 'text/event-stream']);
  const { body } = await pay(androidToken(1), 'aa');
  await pay(androidToken(1), 'aa');
  await operate(running, { path: '/nothing', key: null });
  const at = new Date(clock.wallMs()).toISOString();
  const common = { app: 'default', provider: 'fcm', type: 'payment_received' };
  const events = await reader.events(5);
  expect(events.map(({ name, data }) => [name, data])).toEqual([
    ['delivery', { at, event: 'accepted', delivery_id: body.id, ...common }],
    [
      'attempt',
      {
        at,
        event: 'ended',
        delivery_id: body.id,
        ...common,
        number: 1,
        latency_ms: 0,
        outcome: 'delivered',
      },
    ],
    [
      'delivery',
      {
        at,
        event: 'settled',
        delivery_id: body.id,
        ...common,
        status: 'delivered',
        attempts: 1,
        since_receipt_ms: 0,
      },
    ],
    ['delivery', { at, event: 'repeated', delivery_id: body.id, type: 'payment_received' }],
    [
      'refusal',
      {
        at,
        event: 'refused',
        request_id: expect.any(String),
        method: '_OTHER',
        route: '*',
        status: 404,
        code: 'not_found',
      },
    ],
  ]);
  expect(reader.text).not.toContain(androidToken(1));
});

test('sends only what was asked for', async () => {
  const { running, pay } = await start();
  const reader = await open(running, '?events=attempt,refusal');
  await pay(androidToken(1), 'aa');
  await operate(running, { path: '/nothing', key: null });
  expect((await reader.events(2)).map(({ name }) => name)).toEqual(['attempt', 'refusal']);
});

test('a reader that comes back gets what it missed', async () => {
  const { running, pay } = await start();
  const first = await open(running);
  await pay(androidToken(1), 'aa');
  const seen = await first.events(3);
  first.close();
  await first.ended;
  await pay(androidToken(2), 'bb');
  await running.service.settled();
  const last = { 'last-event-id': seen[1]?.id ?? '' };
  const second = await open(running, '', last);
  const missed = await second.events(4);
  expect(missed[0]).toEqual(seen[2]);
  expect(missed.map(({ name }) => name)).toEqual(['delivery', 'delivery', 'attempt', 'delivery']);
});

test('a reader whose last event is unknown is told that there is a gap', async () => {
  const { running, pay } = await start();
  await pay(androidToken(1), 'aa');
  for (const id of ['of-another-run', '1-2', '-', 'x'.repeat(1_000), '123']) {
    const reader = await open(running, '', { 'last-event-id': id });
    const [event] = await reader.events(1);
    expect(event?.name, id).toBe('gap');
    reader.close();
  }
});

test('a comment comes every 15 seconds', async () => {
  const { running, clock } = await start();
  const reader = await open(running);
  await reader.has('retry: 2000\n\n');
  clock.advance(15_000);
  await reader.has(': alive\n\n');
  clock.advance(15_000);
  await reader.has(': alive\n\n: alive\n\n');
});

test('more than 20 readers are refused, until one has gone', async () => {
  const { running } = await start();
  const readers = await Promise.all(Array.from({ length: 20 }, () => open(running)));
  const refused = await operate(running, { path: '/stream' });
  expect(refusalOf(refused)).toBe('503 overloaded');
  const watchers = readers.at(0);
  watchers?.close();
  await watchers?.ended;
  await expect.poll(async () => (await open(running)).status).toBe(200);
});

test('a reader that reads nothing is disconnected when it is too far behind', async () => {
  const clock = new ManualClock();
  const events = new LiveEvents({ clock, join: () => {}, leave: () => {} });
  const app = new Hono<HttpEnv>();
  app.get('/', (c) => handleStream({ clock, events }, c));
  const server = createServer(getRequestListener(app.fetch));
  onTestFinished(() => {
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const outgoing = request({ port, host: '127.0.0.1', agent: false });
  outgoing.end();
  const [response]: IncomingMessage[] = await once(outgoing, 'response');
  response?.pause();
  response?.on('error', () => {});
  expect(events.watchers).toBe(1);
  for (let burst = 0; burst < 2_000 && events.watchers > 0; burst += 1) {
    for (let count = 0; count < 100; count += 1) events.observe(SETTLED);
    await turn();
  }
  expect(events.watchers).toBe(0);
  response?.resume();
  await once(outgoing, 'close');
});

test('ends when the service stops, without delaying the stop', async () => {
  const { running } = await start();
  const reader = await open(running);
  await reader.has('retry');
  const stopped = running.service.stop();
  await reader.ended;
  await stopped;
});

test('refuses an invalid query', async () => {
  const { running } = await start();
  const lists = ['events=', 'events=delivery,nothing', 'events=attempt&events=refusal'];
  for (const query of [...lists, 'since=1h']) {
    const answer = await operate(running, { path: `/stream?${query}` });
    expect(refusalOf(answer), query).toBe('400 bad_query');
  }
});
