// Pieces of HTML of the page: texts that others wrote are escaped, actions that a key may not do have no button, and
// figures are drawn.

import { expect, test } from 'vitest';
import type { History, Hour } from '../../src/core/finding/history.ts';
import { timelineOf } from '../../src/core/finding/timeline.ts';
import type { DeliveryWake } from '../../src/core/ports/receipts.ts';
import { renderCharts } from '../../src/http/admin/views/chart.ts';
import { renderDevices } from '../../src/http/admin/views/devices-view.ts';
import { toneOf } from '../../src/http/admin/views/elements.ts';
import { renderEndpoints } from '../../src/http/admin/views/endpoints-view.ts';
import { renderAnswer } from '../../src/http/admin/views/find-view.ts';
import { renderLog } from '../../src/http/admin/views/log-view.ts';
import { sampleDevice } from '../contract/device-samples.ts';
import {
  CALLED,
  DELIVERY_ID,
  sampleEvidence,
  sampleLogged,
  sampleRefusal,
} from '../core/finding/samples.ts';

const MARKUP = '"><img src=x onerror=alert(1)>';

test('texts that others wrote stay text, in content and in attributes', async () => {
  const { device } = sampleDevice(3);
  const hurtful = { ...device, user: MARKUP, locale: MARKUP, handles: { [MARKUP]: MARKUP } };
  const shown = await renderDevices({
    devices: [{ device: hurtful, last: [] }],
    isPage: true,
    scopes: new Set(['read', 'operate', 'register']),
    urlOf: (door, handle) => `https://nds.example.com/${door}/${handle}`,
  });
  const refusal = { atMs: 1, lastAtMs: 1, count: 1, status: 404, isKnown: false };
  const named = { app: MARKUP, door: MARKUP, source: MARKUP, code: MARKUP, requestId: MARKUP };
  const rows = [{ kind: 'refusal', atMs: 1, refusal: { ...refusal, ...named } }] as const;
  const log = await renderLog(rows, { isFiltered: false });
  const endpoints = await renderEndpoints({
    endpoints: [
      {
        endpoint: {
          ...{ id: MARKUP, object: 'endpoint', url: MARKUP, enabled_events: [MARKUP] },
          ...{ description: MARKUP, app: MARKUP, status: 'enabled', created: 1 },
        },
        detail: MARKUP,
        attempts: [
          {
            eventId: MARKUP,
            type: 'device.silent',
            atMs: 1,
            latencyMs: 1,
            outcome: 'failed',
            reason: MARKUP,
          },
        ],
      },
    ],
    isOne: false,
    scopes: new Set(['read', 'endpoints']),
  });
  for (const html of [String(shown), String(log), String(endpoints)]) {
    expect(html).toContain('&lt;img');
    expect(html).not.toContain('<img');
    // These attributes are empty for a button without a body or a question.
    expect(html.replaceAll(/ data-(?:body|ask)=""/g, '')).not.toMatch(/"">/);
  }
});

function hour(beganAtMs: number, counts: Partial<Hour> = {}): Hour {
  return { beganAtMs, delivered: 0, queued: 0, failed: 0, refused: 0, ...counts };
}

test('draws an hour without pushes, and makes a few failures visible', async () => {
  const hours = [
    hour(0),
    hour(3_600_000, { delivered: 10_000, failed: 1, p50Ms: 40, p99Ms: 2_000 }),
    hour(7_200_000, { delivered: 1, p50Ms: 0, p99Ms: 0 }),
  ];
  const history: History = { hours, p99OfLane: new Map(), isComplete: true };
  const html = String(await renderCharts(history));
  expect(html).toContain('01:00 UTC: 10000 delivered, 0 queued, 1 failed, 0 refused');
  expect(html).toContain(
    'aria-label="In 24 hours: 10001 delivered, 0 queued, 1 failed, 0 refused"',
  );
  expect(html).toContain('01:00 UTC: p50 40 ms, p99 2 s');
  expect(html).toMatch(/<rect class="bad" [^>]*height="2.0"/);
  expect(html).not.toMatch(/NaN|Infinity|undefined/);
  const nothing = { hours: [hour(0)], p99OfLane: new Map(), isComplete: true };
  expect(String(await renderCharts(nothing))).not.toMatch(/NaN|Infinity|undefined/);
});

test('an empty list says whether filters are the reason', async () => {
  expect(String(await renderLog([], { isFiltered: false }))).toContain('Nothing yet.');
  expect(String(await renderLog([], { isFiltered: true }))).toContain('these filters');
});

test('a call that was ignored is not called a duplicate', async () => {
  const shown = async (code: string) => {
    const refusal = sampleRefusal({ status: 200, code });
    return String(await renderLog([{ kind: 'refusal', atMs: 1, refusal }], { isFiltered: false }));
  };
  expect(await shown('duplicate')).toContain('<b class="badge dull">duplicate</b>');
  expect(await shown('type_not_supported')).toContain('<b class="badge dull">ignored</b>');
});

const WAKE: DeliveryWake = {
  ...{ receivedAtMs: CALLED, lifetimeMs: 60_000, provider: 'fcm', isAsked: true },
  ...{ recent: '', isSender: true, knockedAtMs: CALLED + 6_000 },
  receipts: [
    { atMs: CALLED + 7_000, stage: 'started', n: 2 },
    { atMs: CALLED + 8_000, stage: 'failed', n: 2, why: 'quota' },
  ],
};

async function answerWith(count: number, nowMs = CALLED + 3_600_000): Promise<string> {
  const deliveries = Array.from({ length: count }, (_, index) =>
    sampleLogged({ id: `${DELIVERY_ID.slice(0, -1)}${index}`, wake: WAKE }),
  );
  const evidence = sampleEvidence({ found: ['token'], deliveries });
  const verdict = { code: 'delivered', sentence: 'Delivered.' };
  const judged = deliveries.map((delivery) => ({ delivery, verdict }));
  const timeline = timelineOf(evidence);
  const common = { asked: 'this token', found: evidence.found, verdict, completeSinceMs: 0 };
  const answer = { ...common, deliveries: judged, evidence, timeline };
  return String(await renderAnswer({ answer, question: 'x', scopes: new Set(), nowMs }));
}

test('the page asks for an answer again while receipts may still come', async () => {
  expect(await answerWith(1, CALLED + 119_999)).toContain('data-grows="yes"');
  expect(await answerWith(1, CALLED + 120_000)).toContain('data-grows="no"');
});

test('the words about a phone have the colour of what they say', async () => {
  const html = await answerWith(1);
  expect(html).toContain('<b class="badge good">phone</b><span>started');
  expect(html).toContain('<b class="badge bad">phone</b><span>failed (quota)');
  expect(html).toContain('<b class="badge wait">knock</b>');
});

test('a few deliveries are shown completely, each with its mark, and many in one line each', async () => {
  const few = await answerWith(2);
  expect(few).toContain(`<p>[2] <b class="badge good">delivered</b>`);
  expect(few).toContain('<span>[1] started');
  const many = await answerWith(4);
  expect(many.match(/<li id="d-/g)).toHaveLength(4);
  expect(many).not.toContain('class="timeline"');
  // That id is of the list of current events.
  expect(many).not.toContain('id="log"');
});

test('every outcome has a colour, and an unknown one counts as bad', () => {
  expect(toneOf('delivered')).toBe('good');
  expect(toneOf('try 2')).toBe('dull');
  expect(toneOf('expired')).toBe('bad');
  expect(toneOf('something_new')).toBe('bad');
});
