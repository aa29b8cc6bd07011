// The commands print what the samples of docs/finding-a-push.md show, in lines of at most 80 columns.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { textOf } from '../../src/cli/stats.ts';
import { lineOfDelivery, lineOfRefusal } from '../../src/core/finding/lines.ts';
import {
  attempt,
  CALLED,
  DELIVERY_ID,
  sampleLogged,
  sampleRefusal,
} from '../core/finding/samples.ts';

const DOCS = readFileSync(resolve(import.meta.dirname, '../../docs/finding-a-push.md'), 'utf8');
const DAY_MS = 86_400_000;
const LANE = { app: 'default', expired: 0, rejected: 0, queued: 0 };

test('stats', () => {
  const text = textOf(
    {
      sinceMs: CALLED - DAY_MS,
      lanes: [
        { ...LANE, provider: 'apns', delivered: 1204, rejected: 2, p50Ms: 38, p99Ms: 410 },
        {
          ...LANE,
          provider: 'fcm',
          delivered: 883,
          expired: 3,
          queued: 1,
          p50Ms: 41,
          p99Ms: 14_020,
        },
      ],
      refused: [{ app: 'default', count: 210 }],
      whyNot: [
        { status: 'refused', reason: 'bad_signature', app: 'default', count: 210, tokens: 0 },
        {
          status: 'expired',
          reason: 'UNAVAILABLE',
          app: 'default',
          provider: 'fcm',
          count: 3,
          tokens: 3,
        },
        {
          status: 'rejected',
          reason: 'BadDeviceToken',
          app: 'default',
          provider: 'apns',
          count: 2,
          tokens: 1,
        },
      ],
    },
    DAY_MS,
  );
  expect(DOCS).toContain(`\`\`\`\n${text}\`\`\``);
});

test('stats of a period without calls', () => {
  const nothing = { sinceMs: CALLED, lanes: [], refused: [], whyNot: [] };
  expect(textOf(nothing, 3_600_000)).toBe('since 2026-11-26 18:12:22 UTC, 60 min\n\nNo calls.\n');
});

test('tail', () => {
  const id = DELIVERY_ID;
  const lines = [
    lineOfDelivery(sampleLogged({ id, status: 'queued', settledAtMs: undefined })),
    lineOfDelivery(
      sampleLogged({ id, settledAtMs: CALLED + 14_310, attempts: [attempt(2, 14_250)] }),
    ),
    lineOfRefusal(
      sampleRefusal({
        ...{ code: 'bad_signature', status: 401, atMs: CALLED + 18_000 },
        ...{ source: 'lsps5', door: '/api/v1/lsps5/:handle' },
      }),
    ),
  ];
  expect(DOCS).toContain(`\`\`\`\n${lines.join('\n')}\n\`\`\``);
});

test('a line that is too long is cut', () => {
  const type = 'lsps5_liquidity_management_request';
  const line = lineOfDelivery(sampleLogged({ type, app: 'a-wallet-with-a-long-name' }));
  expect(line).toHaveLength(80);
  expect(line.endsWith('…')).toBe(true);
});
