// Watchers of the live events: nothing is heard or stored without a watcher, and a watcher that comes back misses
// nothing or is told so.

import { expect, test } from 'vitest';
import { LiveEvents } from '../../../src/core/operating/live-events.ts';
import type { Observer } from '../../../src/core/ports/observer.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MINUTE = 60_000;

function setup() {
  const clock = new ManualClock();
  const observers = new Set<Observer>();
  const events = new LiveEvents({
    clock,
    join: (observer) => observers.add(observer),
    leave: (observer) => observers.delete(observer),
  });
  const happen = (times = 1) => {
    for (let time = 0; time < times; time += 1) {
      for (const observer of observers) {
        observer.observe({ name: 'duplicate_answered', deliveryId: 'd', type: 't' });
      }
    }
  };
  const watch = () => {
    const numbers: number[] = [];
    const end = events.watch({ onEvent: ({ number }) => numbers.push(number) });
    return { numbers, end };
  };
  return { clock, observers, events, happen, watch };
}

test('hears nothing before the first watcher comes, nor later than five minutes after the last one left', () => {
  const { clock, observers, happen, watch } = setup();
  happen(3);
  expect(observers.size).toBe(0);
  const one = watch();
  const other = watch();
  happen(2);
  expect(one.numbers).toEqual(other.numbers);
  expect(one.numbers).toHaveLength(2);
  one.end();
  clock.advance(10 * MINUTE);
  expect(observers.size).toBe(1);
  other.end();
  clock.advance(5 * MINUTE - 1);
  expect(observers.size).toBe(1);
  clock.advance(1);
  expect(observers.size).toBe(0);
  expect(clock.timers).toBe(0);
});

test('a watcher that comes back in time misses nothing', () => {
  const { clock, events, happen, watch } = setup();
  const first = watch();
  happen();
  first.end();
  clock.advance(4 * MINUTE);
  happen(2);
  const [seen = 0] = first.numbers;
  expect(events.since(seen)?.map(({ number }) => number)).toEqual([seen + 1, seen + 2]);
  watch();
  clock.advance(10 * MINUTE);
  expect(events.since(seen)).toHaveLength(2);
});

test('a watcher that comes back too late is told so', () => {
  const { clock, events, happen, watch } = setup();
  const first = watch();
  happen();
  first.end();
  clock.advance(5 * MINUTE);
  happen();
  watch();
  const [seen = 0] = first.numbers;
  expect(events.since(seen)).toBeUndefined();
  expect(events.since(events.last)).toEqual([]);
  happen();
  expect(events.since(events.last - 1)).toHaveLength(1);
});

test('keeps the newest 4,096 and rejects numbers of the future', () => {
  const { events, happen, watch } = setup();
  watch();
  happen(5_000);
  expect(events.since(events.last - 4_096)).toHaveLength(4_096);
  expect(events.since(events.last - 4_097)).toBeUndefined();
  expect(events.since(events.last + 1)).toBeUndefined();
});

test('tells watchers about the end once, and plans nothing after it', () => {
  const { clock, observers, events } = setup();
  let ends = 0;
  const end = events.watch({ onEvent: () => {}, onClose: () => (ends += 1) });
  events.close();
  end();
  expect([ends, observers.size, clock.timers, events.isClosed]).toEqual([1, 0, 0, true]);
});
