// The words of mails, as text and as HTML: escaped, of limited length, with what the operator should do next.

import { expect, test } from 'vitest';
import type { DigestCount, Mail, Trouble } from '../../../src/core/ports/events.ts';
import { htmlOf, textOf } from '../../../src/endpoints/mail/render.ts';
import { contentOf } from '../../../src/endpoints/mail/words.ts';

const AT = Date.UTC(2026, 10, 26, 3);
const COUNT = { type: 'delivery.expired', count: 1, fromMs: AT, toMs: AT + 60_000 } as const;

function wordsOf(mail: Mail) {
  const page = contentOf(mail);
  return { ...page, text: textOf(page, 'nds.example.com'), html: htmlOf(page, 'nds.example.com') };
}

function alertOf(trouble: Partial<Trouble>) {
  const troubles = [{ type: 'provider.down', atMs: AT, ...trouble } as const];
  return wordsOf({ kind: 'alert', troubles });
}

function digestOf(counts: readonly DigestCount[]) {
  return wordsOf({ kind: 'digest', period: 'hourly', counts });
}

test('a digest counts by app, type and reason, the most first', () => {
  const { subject, text } = digestOf([
    { ...COUNT, app: 'default', reason: 'http_503', count: 9 },
    { ...COUNT, app: 'default', reason: 'timeout', count: 8_640_000 },
    { ...COUNT, app: 'beta' },
    { ...COUNT, type: 'endpoint.disabled', reason: 'gone' },
  ]);
  expect(subject).toBe('hourly digest: 8,640,011 events');
  expect(text).toBe(`8,640,011 events, 2026-11-26 03:00 to 2026-11-26 03:01 UTC

All apps
  endpoint.disabled  gone  1

App beta
  delivery.expired    1

App default
  delivery.expired  timeout   8,640,000
  delivery.expired  http_503          9

What they mean
delivery.expired: the push could not be sent in its useful life
endpoint.disabled: another endpoint was disabled

-- 
nds.example.com. Sent by nds to an e-mail endpoint: docs/events.md says how to change it.
`);
});

test('a digest of hundreds of kinds stays small, and its sum is right', () => {
  const counts = Array.from({ length: 201 }, (_, number) => {
    return { ...COUNT, app: 'default', reason: `reason_${number}`, count: number + 1 };
  });
  const { text, html } = digestOf(counts);
  expect(text.match(/^ {2}delivery\.expired/gm)).toHaveLength(60);
  expect(text).toMatch(/Further kinds\n {2}141 kinds +10,011\n/);
  expect(text).toContain('20,301 events');
  expect(text.length + html.length).toBeLessThan(20_000);
});

test('texts that others wrote stay text: no markup, no further lines', () => {
  const app = '<img src=x onerror=alert(1)>';
  const reason = '"><script>alert(1)</script>\r\nSubject: another\u2028line';
  for (const { text, html } of [alertOf({ app, reason }), digestOf([{ ...COUNT, app, reason }])]) {
    expect(html).not.toMatch(/<script|<img/);
    expect(html).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/^Subject|\u2028/m);
  }
});

test('an alert says what fails, since when, why, and what to do', () => {
  const down = alertOf({ app: 'default', provider: 'fcm', reason: 'timeout' });
  expect(down.subject).toBe('FCM fails for app default');
  expect(down.text).toContain('Since 2026-11-26 03:00 UTC: timeout.\nPushes wait');
  const over = alertOf({ app: 'default', provider: 'apns', endedAtMs: AT + 300_000 });
  expect(over.text).toContain('03:00 to 2026-11-26 03:05 UTC: unknown.\nIt works again.');
  const refused = alertOf({ type: 'provider.misconfigured', provider: 'apns', app: 'default' });
  expect(refused.text).toContain('run nds doctor');
  const disabled = alertOf({ type: 'endpoint.disabled', endpointId: 'ep_a', reason: 'gone' });
  expect(disabled.text).toContain(
    'Endpoint ep_a was disabled\nAt 2026-11-26 03:00 UTC: it answered',
  );
  const failing = { type: 'mail.endpoint_failing', failingForMs: 90_000_000 } as const;
  expect(alertOf({ ...failing, endpointId: 'ep_a' }).subject).toContain('taken no event for 25 h');
  const sick = alertOf({ type: 'mail.store_failed', reason: 'full' });
  expect(sick.text).toContain('the disk is full: free some space');
  const one = alertOf({ type: 'delivery.expired', app: 'default', deliveryId: 'd-1' });
  expect(one.text).toContain('app default, delivery d-1');
});

test('a mail of several troubles names the first and counts the others', () => {
  const trouble = { type: 'provider.down', atMs: AT, app: 'a', provider: 'fcm' } as const;
  const { subject, text } = wordsOf({
    kind: 'alert',
    troubles: [trouble, { ...trouble, app: 'b' }],
  });
  expect(subject).toBe('FCM fails for app a, and 1 more');
  expect(text).toContain('FCM fails for app b');
});
