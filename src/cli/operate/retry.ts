// `nds retry ID`: makes the next attempt of a waiting delivery at once.

import { z } from 'zod';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { requireArgument } from '../standard-input.ts';
import { withService } from './reach.ts';

const SENTENCES: Readonly<Record<string, string>> = {
  starts: 'An attempt starts now.',
  under_way: 'An attempt is under way already.',
  waits_for_provider: 'The provider fails: the delivery is due and waits until it is back.',
};

const answer = z.looseObject({ id: z.string(), attempt: z.string() });

export async function retry(
  id: string,
  { json = false }: { readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withService(context, async (api) => {
    const path = `/api/v1/deliveries/${encodeURIComponent(requireArgument(id))}/retry`;
    const retried = answer.parse(await api.call('POST', path));
    const sentence = SENTENCES[retried.attempt] ?? retried.attempt;
    print(json ? `${JSON.stringify(retried)}\n` : `${sentence}\nnds find ${retried.id}\n`);
  });
}
