// A process that inserts deliveries for ever and prints the id of each when it is confirmed; to be killed.

import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { accept, sampleDelivery } from '../../contract/store-samples.ts';
import { KEYS } from './keys.ts';

const [file = ''] = process.argv.slice(2);
const { store } = await openSqliteStore({ file, keys: KEYS });

async function insertForever(lane: number): Promise<never> {
  for (let number = lane * 1_000_000; ; number += 1) {
    const delivery = sampleDelivery(number);
    await store.insert(accept(delivery));
    process.stdout.write(`${delivery.id}\n`);
  }
}

await Promise.all(Array.from({ length: 20 }, (_, lane) => insertForever(lane)));
