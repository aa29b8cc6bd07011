// Numbers that machines must agree on. A transaction that takes one holds it exclusively until it ends.

import { rows } from '../rows.ts';
import type { Run } from './database.ts';
import { change, select } from './statements.ts';

const COUNTS = rows('counts', { value: 'integer' });

export type CountName = 'devices' | 'events';

/** Waits until no other transaction has it. */
export async function takeCount(run: Run, name: CountName): Promise<number> {
  const value = await read(run, name);
  if (value !== undefined) return value;
  await change(run, 'INSERT INTO counts (name, value) VALUES (@name, 0) ON CONFLICT DO NOTHING', {
    name,
  });
  return (await read(run, name)) ?? 0;
}

async function read(run: Run, name: CountName): Promise<number | undefined> {
  const [row] = await select(run, COUNTS, 'WHERE name = @name FOR UPDATE', { name });
  return row?.value;
}

export async function putCount(run: Run, name: CountName, value: number): Promise<void> {
  await change(run, 'UPDATE counts SET value = @value WHERE name = @name', { name, value });
}
