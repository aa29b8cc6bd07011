// More connections than the machine's memory bears: those beyond are closed at once, and the log says so.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { setup } from '../support/service.ts';

const TEN_SECONDS = 10_000;

test('a connection beyond the bound is closed, told at once and then every ten seconds', async () => {
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
  const refused = async () => await once(await open(), 'close');
  const told = () =>
    log.lines
      .filter(({ message }) => message === 'connections_refused')
      .map(({ level, fields }) => ({ level, ...fields }));

  const first = await open();
  first.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(first, 'data');
  const second = await open();
  second.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(second, 'data');

  for (let number = 0; number < 3; number += 1) await refused();
  expect(told()).toEqual([{ level: 'error', count: 1, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(told().slice(1)).toEqual([{ level: 'error', count: 2, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(told()).toHaveLength(2);
  await refused();
  expect(told().slice(2)).toEqual([{ level: 'error', count: 1, max: 2 }]);
});
