// The signature between machines: what it covers, how long it is valid, and for which machine.

import { expect, test } from 'vitest';
import {
  FORWARD_HEADERS,
  type ForwardedCall,
  faultOfForwarded,
  forwardHeaders,
  machineOf,
  replyIdOf,
} from '../../../src/core/answering/forwarding.ts';

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const MACHINE = 'M'.repeat(22);
const SECRET = 's'.repeat(22);
const WALL_MS = 1_800_000_000_000;
const CALL: ForwardedCall = { method: 'POST', path: '/replies/1', body: Buffer.from('lni1') };
const SIGNED = forwardHeaders(KEY, CALL, { machine: MACHINE, epoch: 3, wallMs: WALL_MS });

function judge({
  key = KEY,
  call = CALL,
  headers = SIGNED,
  own = {},
}: {
  readonly key?: Uint8Array;
  readonly call?: ForwardedCall;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly own?: { machine?: string; epoch?: number; wallMs?: number };
} = {}) {
  const given = { ...call, header: (name: string) => headers[name] };
  return faultOfForwarded(key, given, { machine: MACHINE, epoch: 3, wallMs: WALL_MS, ...own });
}

test('takes what a machine with the same key signed for this one', () => {
  expect(judge()).toBeUndefined();
});

test('refuses a signature if any part is missing or different', () => {
  expect(judge({ key: OTHER_KEY })).toBe('unsigned');
  expect(judge({ call: { ...CALL, method: 'PUT' } })).toBe('unsigned');
  expect(judge({ call: { ...CALL, path: '/replies/2' } })).toBe('unsigned');
  expect(judge({ call: { ...CALL, body: Buffer.from('lni2') } })).toBe('unsigned');
  for (const name of Object.values(FORWARD_HEADERS)) {
    for (const value of [undefined, '', '0', `${SIGNED[name]}0`]) {
      expect(judge({ headers: { ...SIGNED, [name]: value } }), `${name}: ${value}`).toBe(
        'unsigned',
      );
    }
  }
});

test.each([
  [30_000, undefined],
  [-30_000, undefined],
  [31_000, 'stale'],
  [-31_000, 'stale'],
])('when the clocks differ by %i ms it is %s', (ms, fault) => {
  expect(judge({ own: { wallMs: WALL_MS + ms } })).toBe(fault);
});

test('refuses a signature for another machine, or for this one in another epoch', () => {
  expect(judge({ own: { machine: 'N'.repeat(22) } })).toBe('other_machine');
  expect(judge({ own: { epoch: 4 } })).toBe('other_epoch');
});

test('an id names the machine that asked, and no machine if one process owns the store', () => {
  expect(machineOf(replyIdOf(MACHINE, SECRET))).toBe(MACHINE);
  expect(replyIdOf(MACHINE, SECRET)).toHaveLength(44);
  expect(machineOf(replyIdOf(undefined, SECRET))).toBeUndefined();
});
