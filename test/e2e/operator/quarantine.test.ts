// Tokens in quarantine: listed page by page, and released by hand.

import { expect, test } from 'vitest';
import { listQuarantineAnswer } from '../../../src/http/operator/tokens.ts';
import { refusalOf } from '../../support/callers.ts';
import { androidToken, HOUR, setupDriven } from '../../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import type { Setup } from '../../support/service.ts';

async function list(running: Setup, query: Record<string, string> = {}) {
  const answer = await operate(running, { path: `/quarantine?${new URLSearchParams(query)}` });
  return listQuarantineAnswer.parse(told(answer));
}

function release(running: Setup, fingerprint: string) {
  return operate(running, { method: 'DELETE', path: `/quarantine/${fingerprint}` });
}

/** Dead tokens, all except the last one at the same moment. */
async function startWithDead(tokens: number) {
  const driven = await setupDriven({ environment: OPERATOR_ENVIRONMENT });
  const { running, clock } = driven;
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: tokens, fault });
  const hashes: string[] = [];
  for (let number = 1; number <= tokens; number += 1) {
    if (number === tokens) clock.advance(1_000);
    await driven.pay(androidToken(number), 'aa');
    hashes.push(running.service.ids.fingerprint(`default\n${androidToken(number)}`));
  }
  await running.service.settled();
  return { running, clock, hashes, pay: driven.pay, store: driven.store };
}

test('lists the tokens that get no pushes, and why', async () => {
  const { running, clock, hashes } = await startWithDead(1);
  const since = new Date(clock.wallMs()).toISOString();
  const until = new Date(clock.wallMs() + 24 * HOUR).toISOString();
  const entry = { token_fingerprint: hashes[0], app: 'default', provider: 'fcm' };
  const why = { kind: 'unregistered', reason: 'UNREGISTERED', since, until };
  expect(await list(running)).toEqual({ quarantine: [{ ...entry, ...why }] });
  expect(await list(running, { app: 'another' })).toEqual({ quarantine: [] });
  clock.advance(24 * HOUR);
  expect(await list(running)).toEqual({ quarantine: [] });
});

test('pages lose and repeat nothing, even if many tokens died at the same moment', async () => {
  const { running, hashes } = await startWithDead(6);
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await list(running, { limit: '2', ...(cursor && { cursor }) });
    found.push(...page.quarantine.map((entry) => entry.token_fingerprint));
    cursor = page.next;
  } while (cursor !== undefined);
  expect(found.toSorted()).toEqual(hashes.toSorted());
  expect(found[0]).toBe(hashes.at(-1));
});

test('a released token reaches its provider again, also after a restart', async () => {
  const { running, hashes, pay } = await startWithDead(1);
  const [hash = ''] = hashes;
  expect((await pay(androidToken(1), 'bb')).status).toBe(410);
  expect(told(await release(running, hash.toUpperCase()))).toEqual({
    token_fingerprint: hash,
    status: 'released',
  });
  expect(refusalOf(await release(running, hash))).toBe('404 unknown_token');
  expect((await pay(androidToken(1), 'cc')).status).toBe(200);
});

test('a release that the database cannot take is refused, and the token stays as it was', async () => {
  const { running, hashes, pay, store } = await startWithDead(1);
  const [hash = ''] = hashes;
  store.fail('full', ['releaseQuarantine']);
  expect(refusalOf(await release(running, hash))).toBe('503 store_unavailable');
  store.repair();
  expect((await pay(androidToken(1), 'bb')).status).toBe(410);
  expect((await release(running, hash)).status).toBe(200);
});

test('refuses an invalid query', async () => {
  const { running } = await startWithDead(1);
  const cursors = ['cursor=1', 'cursor=1-2', `cursor=x-${'0'.repeat(32)}`];
  for (const query of [...cursors, 'limit=0', 'kind=dead']) {
    const answer = await operate(running, { path: `/quarantine?${query}` });
    expect(refusalOf(answer), query).toBe('400 bad_query');
  }
});
