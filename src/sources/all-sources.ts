// The list of all signed sources. A new source is a file in this folder and a line here.

import type { Source } from '../core/ports/source.ts';
import { epay } from './epay.ts';
import { createGeneric } from './generic.ts';
import type { GenericConfig } from './generic-config.ts';
import { createLsps5, type Lsps5Options } from './lsps5.ts';
import { paymentApi, paymentflow } from './payment-events.ts';
import { resmic } from './resmic.ts';
import { sparkPaymentReceived } from './spark-payment-received.ts';
import { sparkSsp } from './spark-ssp.ts';
import { standardWebhooks } from './standard-webhooks.ts';

export interface SourceOptions {
  readonly lsps5: Lsps5Options;
  readonly generic: readonly GenericConfig[];
}

/** By name, as the path has it. Throws if two have the same one: a generic source cannot replace another. */
export function createSources({ lsps5, generic }: SourceOptions): ReadonlyMap<string, Source> {
  const sources: readonly Source[] = [
    createLsps5(lsps5),
    sparkSsp,
    sparkPaymentReceived,
    standardWebhooks,
    resmic,
    paymentflow,
    paymentApi,
    epay,
    ...generic.map(createGeneric),
  ];
  const byName = new Map(sources.map((source) => [source.name, source] as const));
  if (byName.size < sources.length) {
    const names = sources.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    throw new Error(`There are two sources with the name ${twice}.`);
  }
  return byName;
}
