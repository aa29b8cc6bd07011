import { expect, test } from 'vitest';
import { handleKey, userKey } from '../../../src/core/devices/registry.ts';
import { parseQuestion } from '../../../src/core/finding/question.ts';
import { subjectHashOf, subjectPrefixHash } from '../../../src/core/subject.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const ID = '01a2191a-970d-71cf-867d-9332ecd8c302';
const HANDLE = 'Zk3vQ0_x8yN1tT7uW-2aBc';
const FCM = 'dQw4w9WgXcQ-Ex_1:APA91bExampleTokenForTests';
const APNS = '9f2c0a7be61d4c58a3f0b1d2e3c4f5061728394a5b6c7d8e9fa0b1c2d3e4f506';

const fingerprint = (value: string) => `[${value}]`;
const NAMES = { fingerprint, apps: ['default', 'wallet'], doors: ['notify', 'lsps5'] };

/** The keys as `kind value`; those that are not whole end with an ellipsis. */
function keysOf(text: string): readonly string[] {
  return parseQuestion(text, NAMES).keys.map(
    ({ kind, value, isWhole, end = '' }) => `${kind} ${value}${isWhole ? '' : `…${end}`}`,
  );
}

const SUBJECT = `subject ${subjectHashOf(fingerprint, HASH)}`;

test('a payment hash is found in any spelling', () => {
  const spellings = [HASH, HASH.toUpperCase(), ` ${HASH}\n`, `"${HASH}"`];
  for (const text of [...spellings, `${HASH.slice(0, 30)}\n  ${HASH.slice(30)}`]) {
    expect(keysOf(text)).toContain(SUBJECT);
  }
});

test('eight characters of a payment hash are enough', () => {
  const beginning = `subject ${subjectPrefixHash(fingerprint, '4bb06f8e')}…`;
  for (const text of ['4bb06f8e', '4BB06F8E4E3A', '4bb06f8e…', HASH.slice(0, 40)]) {
    expect(keysOf(text)).toContain(beginning);
  }
  expect(keysOf('4bb06f8')).not.toContain(beginning);
});

test('an id may be of a delivery, a request or a device, whole or in part', () => {
  for (const text of [ID, ID.toUpperCase(), `urn:uuid:${ID}`, ID.replaceAll('-', '')]) {
    expect(keysOf(text)).toEqual(
      expect.arrayContaining([`delivery ${ID}`, `request ${ID}`, `device ${ID}`]),
    );
  }
  expect(keysOf('01a2191a970d71')).toContain('delivery 01a2191a-970d-71…');
  expect(keysOf('01a2191a-97')).toContain('device 01a2191a-97…');
  // As other output abbreviates it.
  expect(keysOf('01a2191a…c302')).toContain('delivery 01a2191a…c302');
});

test('a token is looked for in every app and in both environments', () => {
  expect(keysOf(FCM)).toEqual(
    expect.arrayContaining([`token [default\n${FCM}]`, `token [wallet\n${FCM}]`]),
  );
  expect(keysOf(APNS.toUpperCase())).toEqual(
    expect.arrayContaining([`token [default\n${APNS}]`, `token [default\n${APNS}\nsandbox]`]),
  );
});

test('a whole webhook URL names its token, and its app if it has one', () => {
  const url = `https://nds.example.com/api/v1/notify?platform=android&token=${encodeURIComponent(FCM)}`;
  expect(keysOf(url)).toEqual([`token [default\n${FCM}]`, `token [wallet\n${FCM}]`]);
  expect(keysOf(`${url}&app=wallet`)).toEqual([`token [wallet\n${FCM}]`]);
  const path = `/api/v1/notify?token=${APNS}&platform=ios&environment=sandbox&app=wallet`;
  expect(keysOf(path)).toContain(`token [wallet\n${APNS}\nsandbox]`);
});

test('a handle is looked for at every door, alone or at the end of its URL', () => {
  const expected = NAMES.doors.map((door) => `handle [${handleKey(door, HANDLE)}]`);
  expect(keysOf(HANDLE)).toEqual(expect.arrayContaining(expected));
  for (const path of ['/n/', '/api/v1/lsps5/', '/api/v1/webhooks/standard/']) {
    expect(keysOf(`https://nds.example.com${path}${HANDLE}`)).toEqual(expected);
    expect(keysOf(`${path}${HANDLE}/?x=1`)).toEqual(expected);
  }
});

test('a user is found as it was registered, a public key in upper case, too', () => {
  expect(keysOf('Alice Smith@example.com')).toContain(
    `user [${userKey('wallet', 'Alice Smith@example.com')}]`,
  );
  const key = `02${'ab'.repeat(32)}`;
  expect(keysOf(key.toUpperCase())).toContain(`user [${userKey('default', key)}]`);
});

test('a fingerprint as the output of the service has it is found', () => {
  expect(keysOf('0f'.repeat(16))).toEqual(
    expect.arrayContaining([`token ${'0f'.repeat(16)}`, `subject ${'0f'.repeat(16)}`]),
  );
});

test('shows neither token nor handle nor name', () => {
  const urls = [`/n/${HANDLE}`, `https://x.example/notify?platform=ios&token=${APNS}`];
  for (const text of [FCM, HANDLE, 'alice@example.com', ...urls]) {
    expect(parseQuestion(text, NAMES).shown).toBeUndefined();
  }
  expect(parseQuestion(HASH, NAMES).shown).toBe('4bb06f8e…');
});

test('an empty text and a far too long one are not questions', () => {
  expect(keysOf('  ')).toEqual([]);
  expect(keysOf('a'.repeat(100_000))).toEqual([]);
  expect(keysOf(`https://nds.example.com/n/`)).not.toContain('handle');
});
