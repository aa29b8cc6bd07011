// The LNURL calls between phone and LNURL server do not pass through nds: the addresses that the server wrote must
// reach the phone byte for byte, however unusual they are.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { send } from '../support/callers.ts';
import fc from '../support/properties.ts';
import { IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const RUNS = 120;

/** Placeholders, escapes, other scripts, quotes, line breaks: anything that a server may put into a URL. */
const PIECES = [
  '{payment_hash}',
  '%2F',
  '%zz',
  '%',
  '+',
  ' ',
  '"',
  '\\',
  '\\u0041',
  '</script>',
  '\n',
  '\u0000',
  '\u007f',
  '\u2028',
  '\ufeff',
  '\ufffd',
  'ü',
  '発',
  '🌩️',
  'e\u0301',
  '#',
  '?a=1&a=2',
  '&amp;',
  '/../',
  '//',
] as const;

const oddUrl = fc
  .tuple(
    fc.constantFrom('https://lnurl.example.com', 'HTTP://User:pw@[::1]:8080', 'lnurl1dp68gurn8'),
    fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'grapheme', maxLength: 12 })), {
      maxLength: 8,
    }),
  )
  .map(([start, pieces]) => [start, ...pieces].join('/'))
  // Halves of surrogate pairs are not valid text, and no provider takes them.
  .map((url) => url.toWellFormed());

const phone = fc.constantFrom('ios', 'android');

test('reply_url, callback_url and verify_url reach the phone byte for byte', async () => {
  const running = await setup();
  let calls = 0;
  const legs = fc.record({
    template: fc.constantFrom('lnurlpay_info', 'lnurlpay_invoice', 'lnurlpay_verify'),
    platform: phone,
    reply_url: oddUrl,
    callback_url: oddUrl,
    verify_url: oddUrl,
    isEscaped: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(legs, async ({ template, platform, isEscaped, ...urls }) => {
      calls += 1;
      const data = fieldsOf(template, urls);
      const plain = JSON.stringify({ template, data });
      const body = isEscaped ? escapeAll(plain) : plain;
      const token = tokenOf(platform, calls);
      const payload = await pushedPayload(running, { token, platform, body });
      const { amount: _amount, ...strings } = data;
      expect(z.record(z.string(), z.unknown()).parse(JSON.parse(payload))).toEqual(data);
      for (const value of Object.values(strings)) {
        expect(payload).toContain(JSON.stringify(value));
      }
    }),
    { numRuns: RUNS },
  );
  expect(running.sandbox.received()).toHaveLength(calls);
});

/** The fields that a template may have, besides the required ones. */
function fieldsOf(
  template: string,
  urls: {
    readonly reply_url: string;
    readonly callback_url: string;
    readonly verify_url: string;
  },
): { readonly amount?: number; readonly [field: string]: unknown } {
  const { reply_url, callback_url, verify_url } = urls;
  if (template === 'lnurlpay_info') return { reply_url, callback_url };
  if (template === 'lnurlpay_invoice') return { amount: 21_000, reply_url, verify_url };
  return { payment_hash: 'ab'.repeat(32), reply_url };
}

/** The same JSON with every character of its strings escaped, as some encoders write it. */
function escapeAll(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** A phone of its own for each call, so that no call is a repeat of another. */
function tokenOf(platform: string, call: number): string {
  return platform === 'ios'
    ? `${IOS_TOKEN.slice(0, 48)}${call.toString(16).padStart(16, '0')}`
    : `phone-${call}:APA91bOdd`;
}

async function pushedPayload(
  running: Setup,
  { token, platform, body }: { readonly [name in 'token' | 'platform' | 'body']: string },
): Promise<string> {
  const path = notifyPath(token).replace(/platform=\w+/, `platform=${platform}`);
  const answer = await send(running.service.url, { path, body });
  expect(answer.status, answer.text).toBe(200);
  const pushes = running.sandbox.received(token);
  expect(pushes).toHaveLength(1);
  return pushes[0]?.data.notification_payload ?? '';
}
