// Was it sent, and what happened? The same answers as those of `nds find` and `nds stats`.

import { z } from 'zod';
import { find } from '../../core/finding/find.ts';
import { findResultAsJson, statisticsAsJson } from '../../core/finding/json.ts';
import { MAX_QUESTION_CHARACTERS } from '../../core/finding/question.ts';
import { readStatistics } from '../../core/finding/statistics.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { checkBody, parseJsonBody } from '../devices/device-body.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import type { findAnswer, statsAnswer } from './answers.ts';
import type { OperatorParts } from './parts.ts';
import { checkQuery, pageLimit, since, sinceMs } from './query.ts';

const DEFAULT_FOUND = 20;
const DEFAULT_PERIOD = '24h';

const question = z
  .string('is required: what to look for')
  .min(1, 'must not be empty')
  .max(MAX_QUESTION_CHARACTERS, `must have at most ${MAX_QUESTION_CHARACTERS} characters`);

export const findQuery = z.strictObject({ q: question, since, limit: pageLimit(DEFAULT_FOUND) });

/** For texts that must not be in a URL: a token, a webhook URL. */
export const findBody = z.strictObject({
  q: question,
  since,
  limit: z
    .int('must be a whole number from 1 to 200')
    .min(1, 'must be a whole number from 1 to 200')
    .max(200, 'must be a whole number from 1 to 200')
    .default(DEFAULT_FOUND),
});

export const statsQuery = z.strictObject({ since: since.default(DEFAULT_PERIOD) });

/** GET /api/v1/find?q=… */
export async function handleFind(parts: OperatorParts, c: HttpContext): Promise<Response> {
  return await answer(parts, c, checkQuery(findQuery, c));
}

/** POST /api/v1/find */
export async function handleFindByBody(parts: OperatorParts, c: HttpContext): Promise<Response> {
  return await answer(parts, c, checkBody(findBody, parseJsonBody(await readBody(c))));
}

/** GET /api/v1/stats[?since=…] */
export async function handleStats(
  { clock, log }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const from = sinceMs(checkQuery(statsQuery, c).since, clock) ?? 0;
  const read = await reading(() => readStatistics(log.countPage, { sinceMs: from }));
  return json(c, statisticsAsJson(read) satisfies z.input<typeof statsAnswer>);
}

async function answer(
  { clock, log, findNames, retentionMs }: OperatorParts,
  c: HttpContext,
  { q, since: from, limit }: z.output<typeof findBody>,
): Promise<Response> {
  const found = await reading(() =>
    find(
      q,
      { ...findNames(), gather: log.gather, retentionMs, nowMs: clock.wallMs() },
      { sinceMs: sinceMs(from, clock), limit },
    ),
  );
  return json(c, findResultAsJson(found) satisfies z.input<typeof findAnswer>);
}
