// More connections than the machine's memory bears: those beyond are closed at once, and the log says so.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { setup } from '../support/service.ts';

const TEN_SECONDS = 10_000;
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
const UNFINISHED = 'POST /api/v1/notify HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n';

/** A service that takes two connections. */
async function setupTwo() {
  const clock = new ManualClock();
  const { service, log } = await setup({ clock, environment: { NDS_MAX_CONNECTIONS: '2' } });
  const { hostname, port } = new URL(service.url);
  const open = async (): Promise<Socket> => {
    const socket = connect(Number(port), hostname);
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, 'connect');
    return socket;
  };
  /** Opens a connection and waits for the first answer on it. */
  const ask = async (requests: string): Promise<Socket> => {
    const socket = await open();
    socket.write(requests);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /);
    return socket;
  };
  const refuse = async () => await once(await open(), 'close');
  const told = () =>
    log.lines
      .filter(({ message }) => message === 'connections_refused')
      .map(({ level, fields }) => ({ level, ...fields }));
  return { clock, ask, refuse, told };
}

test('a connection beyond the bound is closed, told at once and then every ten seconds', async () => {
  const { clock, ask, refuse, told } = await setupTwo();
  await ask(HEALTH + UNFINISHED);
  await ask(HEALTH + UNFINISHED);
  for (let number = 0; number < 3; number += 1) await refuse();
  expect(told()).toEqual([{ level: 'error', count: 1, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(told().slice(1)).toEqual([{ level: 'error', count: 2, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(told()).toHaveLength(2);
  await refuse();
  expect(told().slice(2)).toEqual([{ level: 'error', count: 1, max: 2 }]);
});

test('connections that are only kept for later make room, those in use stay', async () => {
  const { ask, refuse } = await setupTwo();
  const busy = await ask(HEALTH + UNFINISHED);
  const idle = await ask(HEALTH);
  await Promise.all([once(idle, 'close'), refuse()]);
  await ask(HEALTH);
  expect(busy.closed).toBe(false);
});
