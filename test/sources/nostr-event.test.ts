// A wallet request of Nostr Wallet Connect without an envelope, as Alby's http-nostr posts it.

import { expect, test } from 'vitest';
import { ServiceError } from '../../src/core/errors.ts';
import type { ParsedNotification } from '../../src/core/notification.ts';
import { parseBreezBody } from '../../src/sources/breez.ts';

const EVENT = {
  id: '3f'.repeat(32),
  pubkey: 'b8'.repeat(32),
  created_at: 1_754_049_590,
  kind: 23_194,
  tags: [['p', '69'.repeat(32)]],
  content: 'AmX0?iv=AAAA==',
  sig: 'ab'.repeat(64),
};

function notificationOf(body: object | string): ParsedNotification {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const parsed = parseBreezBody(Buffer.from(text));
  if (parsed.kind !== 'notification') throw new Error(`a ${parsed.kind} came out`);
  return parsed.notification;
}

function faultsOf(body: object): readonly string[] {
  try {
    parseBreezBody(Buffer.from(JSON.stringify(body)));
    return [];
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return (error.details.faults ?? []).map(({ field }) => field);
  }
}

test('the event itself is an nwc_event, with its text unchanged', () => {
  const text = JSON.stringify(EVENT, null, 1);
  for (const body of [text, `${text}\n`]) {
    const { type, payload } = notificationOf(body);
    expect(type).toBe('nwc_event');
    expect(JSON.parse(payload)).toEqual({ event: text });
  }
});

test('the same event is a repeat, with its keys in any order and in an envelope', () => {
  const { id, ...others } = EVENT;
  const event = JSON.stringify(EVENT);
  const bodies = [EVENT, { ...others, id }, { template: 'nwc_event', data: { event } }];
  const keys = bodies.map((body) => notificationOf(body).duplicateOf?.key);
  expect(keys).toEqual([id, id, id]);
});

test('other kinds, and events with a missing part, are refused with the field', () => {
  for (const kind of [1, 13_194, 23_195, 23_196]) {
    expect(faultsOf({ ...EVENT, kind }), String(kind)).toEqual(['kind']);
  }
  for (const name of ['id', 'content', 'sig'] as const) {
    const { [name]: _removed, ...rest } = EVENT;
    expect(faultsOf(rest), name).toEqual(['kind']);
  }
  const { kind: _kind, ...noEvent } = EVENT;
  expect(faultsOf(noEvent)).toEqual(['template']);
});

test('a body with a name of its own is what the name says, whatever else it has', () => {
  const named = { ...EVENT, template: 'payment_received', data: { payment_hash: 'aa' } };
  expect(notificationOf(named).type).toBe('payment_received');
  expect(faultsOf({ ...EVENT, template: 'unknown' })).toEqual(['template']);
});
