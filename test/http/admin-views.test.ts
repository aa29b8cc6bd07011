// Pieces of HTML of the page: what others wrote is escaped, what a key may not do has no button, and figures are drawn.

import { expect, test } from 'vitest';
import type { History, Hour } from '../../src/core/finding/history.ts';
import { renderCharts } from '../../src/http/admin/views/chart.ts';
import { renderDevices } from '../../src/http/admin/views/devices-view.ts';
import { toneOf } from '../../src/http/admin/views/elements.ts';
import { renderEndpoints } from '../../src/http/admin/views/endpoints-view.ts';
import { renderLog } from '../../src/http/admin/views/log-view.ts';
import { sampleDevice } from '../contract/device-samples.ts';

const MARKUP = '"><img src=x onerror=alert(1)>';

test('what others wrote is text, in content and in attributes', async () => {
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
  const log = await renderLog([{ kind: 'refusal', atMs: 1, refusal: { ...refusal, ...named } }]);
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
    // A button without a body or a question has these empty.
    expect(html.replaceAll(/ data-(?:body|ask)=""/g, '')).not.toMatch(/"">/);
  }
});

function hour(beganAtMs: number, counts: Partial<Hour> = {}): Hour {
  return { beganAtMs, delivered: 0, queued: 0, failed: 0, refused: 0, ...counts };
}

test('draws an hour without pushes, and one in which little failed so that it is seen', async () => {
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

test('every outcome has a colour, and what nobody knows is bad', () => {
  expect(toneOf('delivered')).toBe('good');
  expect(toneOf('try 2')).toBe('dull');
  expect(toneOf('expired')).toBe('bad');
  expect(toneOf('something_new')).toBe('bad');
});
