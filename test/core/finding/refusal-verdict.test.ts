// The words for calls that left no delivery.

import { expect, test } from 'vitest';
import { ERRORS } from '../../../src/core/errors.ts';
import { judgeRefusals } from '../../../src/core/finding/refusal-verdict.ts';
import type { Refusal } from '../../../src/core/ports/records.ts';
import type { QuarantineEntry } from '../../../src/core/ports/store.ts';
import { CALLED, sampleQuarantined, sampleRefusal } from './samples.ts';

const DEAD = sampleQuarantined();
const NODE = `02${'ab'.repeat(32)}`;
const AT = 'at 2026-11-26 18:12:22';

interface Case {
  readonly is: Partial<Refusal>;
  readonly quarantined?: readonly QuarantineEntry[];
  readonly says: string;
}

const CASES: readonly Case[] = [
  {
    is: { code: 'bad_signature', status: 401, source: 'resmic' },
    says: `Refused with 401 bad_signature ${AT}: the signature does not fit the body: compare the secret at the caller with the one here for the source resmic.`,
  },
  {
    is: { code: 'bad_signature', status: 401, source: 'lsps5', nodeId: NODE },
    says: `Refused with 401 bad_signature ${AT}: the call was signed by the node 02ababababab…, which this device does not allow: register the device with this node id if it is the right LSP.`,
  },
  {
    is: { code: 'stale_timestamp', status: 401 },
    says: `Refused with 401 stale_timestamp ${AT}: the time in the call is missing, or minutes away from ours: check the clock of the caller.`,
  },
  {
    is: { limit: 'token_rate' },
    says: `Refused with 429 rate_limited ${AT}: more calls came than token_rate allows: raise that limit if these calls are genuine.`,
  },
  {
    is: { code: 'token_unregistered', status: 410 },
    quarantined: [DEAD],
    says: `Refused with 410 token_unregistered ${AT}: the provider said at 2026-11-26 17:12:22 that the token is dead (UNREGISTERED): the app was removed or its token changed, and the wallet must register its new one.`,
  },
  {
    is: { code: 'token_unregistered', status: 410 },
    says: `Refused with 410 token_unregistered ${AT}: the provider said before that the token is dead: the app was removed or its token changed, and the wallet must register its new one.`,
  },
  {
    is: { code: 'token_rejected', status: 422 },
    quarantined: [{ ...DEAD, kind: 'bad_token', reason: 'BadDeviceToken' }],
    says: `Refused with 422 token_rejected ${AT}: the provider refused this token a moment before (BadDeviceToken), so it was not asked again; see the delivery before.`,
  },
  {
    is: { code: 'provider_unavailable', status: 503 },
    says: `Refused with 503 provider_unavailable ${AT}: the provider had failed for about a minute, so the caller was not made to wait; see its outages here or at its status page.`,
  },
  {
    is: { code: 'provider_not_configured', status: 502, app: 'wallet' },
    says: `Refused with 502 provider_not_configured ${AT}: no credentials for the platform of this token are configured for the app wallet.`,
  },
  {
    is: { code: 'bad_query', status: 400, fields: 'platform,token' },
    says: `Refused with 400 bad_query ${AT}: the call is wrong in platform, token: correct it at the caller.`,
  },
  {
    is: { code: 'store_unavailable', status: 503 },
    says: `Refused with 503 store_unavailable ${AT}: the database is full, locked, damaged or cannot be reached: /readyz says which. Repeat the call.`,
  },
  {
    is: { code: 'duplicate', status: 200 },
    says: `A repeat of a call that was accepted before (${AT}): nothing was sent again.`,
  },
];

test.each(CASES)('$says', ({ is, quarantined = [], says }) => {
  const { sentence } = judgeRefusals([sampleRefusal(is)], quarantined);
  expect(sentence).toBe(says);
});

test('many rows of one kind are described as one', () => {
  const rows = [2, 1, 0].map((minute) =>
    sampleRefusal({
      atMs: CALLED + minute * 60_000,
      lastAtMs: CALLED + minute * 60_000 + 50_000,
      count: 70,
    }),
  );
  const [last, ...others] = rows;
  if (last === undefined) throw new Error('no rows');
  expect(judgeRefusals([last, ...others], []).sentence).toContain(
    '210 times, from 2026-11-26 18:12:22 to 18:15:12',
  );
});

test('every code of the service has a sentence and a code of its own', () => {
  for (const code of Object.keys(ERRORS)) {
    const verdict = judgeRefusals([sampleRefusal({ code })], []);
    expect(verdict.code).toBe(`refused_${code}`);
    expect(verdict.sentence).toMatch(/^Refused with 429 .*: .+\.$/);
  }
});
