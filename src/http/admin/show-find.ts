// POST /admin/view/find: everything that is known about something. By POST, since what is looked for may be a token or
// a webhook URL.

import { z } from 'zod';
import { type FindResult, find } from '../../core/finding/find.ts';
import { MAX_QUESTION_CHARACTERS } from '../../core/finding/question.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { checkBody, parseJsonBody } from '../devices/device-body.ts';
import { reading } from '../handle.ts';
import type { OperatorParts } from '../operator/parts.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { piece } from './views/elements.ts';
import { renderAnswer } from './views/find-view.ts';

const FOUND = 20;

const question = z.string().trim().min(1, 'must not be empty').max(MAX_QUESTION_CHARACTERS);
const findBody = z.strictObject({ q: question });

export async function showFound(parts: AdminParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  const { scopes } = requireSession(parts.access, c, 'read');
  const { q } = checkBody(findBody, parseJsonBody(bytes));
  return await piece(
    c,
    renderAnswer({
      answer: await ask(parts.operator, q),
      question: q,
      scopes,
      nowMs: parts.operator.clock.wallMs(),
    }),
  );
}

export function ask(
  { clock, log, findNames, retentionMs }: OperatorParts,
  q: string,
): Promise<FindResult> {
  const names = { ...findNames(), gather: log.gather, retentionMs, nowMs: clock.wallMs() };
  return reading(() => find(q, names, { limit: FOUND }));
}
