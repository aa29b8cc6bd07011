// Endpoints and their events at several machines: each event is sent once, whichever machine recorded it.

import { describe, expect, test } from 'vitest';
import { LOOK_EVERY_MS } from '../../src/core/events/looks/looks.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import { endpointAnswer, listEndpointsAnswer } from '../../src/http/operator/endpoints.ts';
import { type Receiver, startReceiver } from '../support/event-receiver.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../support/operator-calls.ts';
import { ANDROID_TOKEN } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { type Machine, patientClock, startMachines } from './machines.ts';

const ENVIRONMENT = { ...OPERATOR_ENVIRONMENT, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' };
type Running = Pick<Machine, 'service'>;

/** A machine's clock with which a test decides when endpoints look into the table. */
function lookingClock(): Clock & { look(): void } {
  const clock = patientClock();
  const looks = new Set<() => void>();
  const after: Clock['after'] = (delayMs, task) => {
    if (delayMs !== LOOK_EVERY_MS) return clock.after(delayMs, task);
    looks.add(task);
    return { cancel: () => looks.delete(task) };
  };
  const look = () => {
    const due = [...looks];
    looks.clear();
    for (const task of due) task();
  };
  return { ...clock, after, look };
}

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase } = useDatabases(server);

  async function setup() {
    const clocks: ReturnType<typeof lookingClock>[] = [];
    const newClock = () => {
      const clock = lookingClock();
      clocks.push(clock);
      return clock;
    };
    const url = await newEmptyDatabase();
    const { first, start, payAt } = await startMachines(url, ENVIRONMENT, newClock);
    const second = await start();
    let payments = 0;
    return {
      ...{ first, second },
      /** Makes the endpoints look into the table, as they do every ten seconds. */
      lookAt: (number: 0 | 1) => clocks[number]?.look(),
      create: async (machine: Running, receiver: Receiver) => {
        const body = { url: receiver.url, enabled_events: ['delivery.rejected'] };
        const made = await operate(machine, { method: 'POST', path: '/endpoints', body });
        return endpointAnswer.parse(told(made)).id;
      },
      hasAttempts: async () => (await query(url, 'SELECT FROM endpoint_attempts')).length > 0,
      /** Records an event at the machine; resolves when it is in the table. */
      fail: async (machine: Running) => {
        const count = async () => (await query(url, 'SELECT FROM events')).length;
        const before = await count();
        const fault = { kind: 'fcm_error', error: 'INVALID_ARGUMENT' } as const;
        first.sandbox.script({ provider: 'fcm', fault });
        payments += 1;
        // Another token each time: a token that was refused gets no more pushes.
        const token = `${ANDROID_TOKEN.slice(0, -1)}${payments}`;
        await payAt(machine, token, 'aa');
        while ((await count()) === before) await second.service.store.probe();
      },
    };
  }

  const idsOf = ({ received }: Receiver) => received.map(({ headers }) => headers['webhook-id']);

  test('sends each event once, wherever it was recorded, until the endpoint is deleted at any machine', async () => {
    const { first, second, create, fail, lookAt } = await setup();
    const [deleted, other] = [await startReceiver(), await startReceiver()];
    const id = await create(first, deleted);
    await create(first, other);
    await fail(first);
    await Promise.all([deleted.wait(1), other.wait(1)]);
    await fail(second);
    lookAt(1);
    lookAt(0);
    await Promise.all([deleted.wait(2), other.wait(2)]);

    await operate(second, { method: 'DELETE', path: `/endpoints/${id}` });
    await fail(second);
    lookAt(1);
    lookAt(0);
    await other.wait(3);
    await fail(first);
    await other.wait(4);
    expect(new Set(idsOf(other)).size).toBe(4);
    expect(idsOf(deleted)).toEqual(idsOf(other).slice(0, 2));
    expect(other.received).toHaveLength(4);
  });

  test('another machine continues when the sender has stopped', async () => {
    const { first, second, create, fail, lookAt, hasAttempts } = await setup();
    const receiver = await startReceiver();
    await create(first, receiver);
    await fail(first);
    await receiver.wait(1);
    // If it stopped before the attempt is recorded, the event would be sent a second time.
    while (!(await hasAttempts())) await second.service.store.probe();
    await first.service.stop();
    await fail(second);
    lookAt(1);
    await receiver.wait(2);
    expect(new Set(idsOf(receiver)).size).toBe(2);
  });

  test('an operator sees and changes at any machine what was just made at another one', async () => {
    const { first, second, create } = await setup();
    const receiver = await startReceiver();
    const id = await create(first, receiver);
    const change = (machine: Running, body: object) =>
      operate(machine, { method: 'PATCH', path: `/endpoints/${id}`, body });
    await change(second, { description: 'named at the second' });
    await change(first, { enabled_events: ['device.*'] });
    const { endpoints } = listEndpointsAnswer.parse(
      told(await operate(second, { path: '/endpoints' })),
    );
    expect(endpoints).toMatchObject([
      { id, description: 'named at the second', enabled_events: ['device.*'] },
    ]);
  });
});
