// The description of the API as tests read it: which codes a call can be answered with.

import { z } from 'zod';
import { createApiDocument } from '../../src/http/openapi/document.ts';
import { describeCalls } from '../../src/sources/descriptions.ts';

/** As a client gets it. */
export const DESCRIPTION = createApiDocument({ version: '0.0.0', calls: describeCalls() });

const coded = z.looseObject({ enum: z.array(z.string()).optional() });
const media = z.looseObject({
  schema: z.looseObject({
    properties: z.looseObject({ code: coded.optional() }).optional(),
  }),
});
const response = z.looseObject({ content: z.record(z.string(), z.unknown()).optional() });
const operation = z.looseObject({
  responses: z.record(z.string(), response),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});
const described = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ responses: z.record(z.string(), response) }),
});

export interface DescribedOperation {
  /** In upper case. */
  readonly method: string;
  /** As OpenAPI writes it: `/n/{handle}`. */
  readonly path: string;
  /** Scopes of keys, one of which is needed. */
  readonly scopes: readonly string[];
  /** The codes of refusals by status; an empty list for a success. */
  readonly answers: ReadonlyMap<number, readonly string[]>;
}

function codesOf({ content }: z.output<typeof response>): readonly string[] {
  const problem = content?.['application/problem+json'] ?? content?.['application/json'];
  return problem === undefined ? [] : (media.parse(problem).schema.properties?.code?.enum ?? []);
}

const parsed = described.parse(DESCRIPTION);

export const OPERATIONS: readonly DescribedOperation[] = Object.entries(parsed.paths).flatMap(
  ([path, item]) =>
    Object.entries(item).map(([method, { responses, security }]) => ({
      method: method.toUpperCase(),
      path,
      scopes: (security ?? []).flatMap((one) => Object.values(one).flat()),
      answers: new Map(
        Object.entries(responses).map(([status, one]) => [Number(status), codesOf(one)]),
      ),
    })),
);

/** The codes that the description gives for calls that reach no route. */
export const CODES_ELSEWHERE = Object.values(parsed.components.responses).flatMap(codesOf);

/** The routes of the page are not described, because no other programs may call them. */
export const PAGE_ROUTES = /^\w+ \/admin(?:\/|$)/;
export const CODES_OF_PAGE = ['foreign_page'];

/** Each path with its operations, those with the fewest variables first: `/a/b` before `/a/{x}`. */
const PATHS = [...Map.groupBy(OPERATIONS, ({ path }) => path)]
  .map(([path, operations]) => ({ pattern: patternOf(path), operations }))
  .toSorted(
    (one, other) => one.pattern.source.split('[').length - other.pattern.source.split('[').length,
  );

function patternOf(path: string): RegExp {
  const escaped = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${escaped}/?$`);
}

export interface Answered {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  readonly code: string | undefined;
}

/** What the description lacks about this answer; undefined if it does not have the path. */
export function undescribed({ method, path, status, code }: Answered): string | undefined {
  // A path with `..` in it means another path.
  const isPlain = URL.parse(`http://nds${path}`)?.pathname === path;
  const operations = isPlain
    ? PATHS.find(({ pattern }) => pattern.test(path))?.operations
    : undefined;
  if (operations === undefined) return undefined;
  const found = operations.find((one) => one.method === method);
  if (found === undefined) {
    return status === 405 || status === 400 ? undefined : `${method} ${path} is not described`;
  }
  const codes = found.answers.get(status);
  if (codes === undefined) return `${method} ${found.path}: ${status} is not described`;
  if (code === undefined || codes.includes(code)) return undefined;
  return `${method} ${found.path}: ${status} ${code} is not described`;
}
