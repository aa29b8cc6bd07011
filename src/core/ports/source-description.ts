// What the description of the API says about a source's calls. It is read by people and by programs that make clients;
// no call is checked against it.

import type { z } from 'zod';
import type { Source } from './source.ts';

export interface DescribedBody {
  readonly schema: z.ZodType;
  /** By a name such as `payment_received`; each is valid by `schema`. */
  readonly examples: Readonly<Record<string, unknown>>;
}

export interface DescribedSource extends DescribedBody, Pick<Source, 'name' | 'statuses'> {
  /** Who calls. */
  readonly caller: string;
  /** The headers that the caller signs or signs by, in lower case, and what each holds. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the signed time may be stale. */
  readonly isTimed: boolean;
}

/** The callers' doors: the Breez family's body, and every built-in source. */
export interface DescribedCalls {
  readonly breez: DescribedBody;
  readonly sources: readonly DescribedSource[];
}
