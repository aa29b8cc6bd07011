// A load that several processes share, and the CPU time of a process including its children.

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parseOptions } from '../../bench/options.ts';
import { cpuUs, treeCpuUs } from '../../bench/process-usage.ts';
import { BenchRun } from '../../bench/run.ts';
import { freePort } from '../../bench/service.ts';

test('gives each of several processes its share, and no push to two of them', async () => {
  const options = parseOptions(['--quick']);
  if (options === undefined) throw new Error('these are options');
  await using run = await BenchRun.start(options);
  await using first = await run.startService({ subject: 'floor' });
  await using second = await run.startService({ subject: 'floor' });
  const gateways = [first, second].map((service) => run.gatewayOf(service));
  const pattern = { kind: 'closed', callers: 3 } as const;
  const both = await run.loadAll(gateways, pattern, { mix: 'android', count: 11 });
  expect(both).toMatchObject({ calls: 11, accepted: 11, arrived: 11, lost: 0, repeated: 0 });
  expect(both.toProviderMs?.count).toBe(11);
  const [one] = gateways;
  if (one === undefined) throw new Error('there are two');
  const silent = { ...one, target: { ...one.target, port: await freePort() } };
  const half = await run.loadAll([one, silent], pattern, { mix: 'android', count: 11 });
  expect(half).toMatchObject({ accepted: 5, broken: 6, arrived: 5 });
});

test('counts the CPU time of a child that has ended', () => {
  const burn = 'while (process.cpuUsage().user < 100_000);';
  const before = treeCpuUs(process.pid) - cpuUs(process.pid);
  execFileSync(process.execPath, ['-e', burn]);
  expect(treeCpuUs(process.pid) - cpuUs(process.pid) - before).toBeGreaterThanOrEqual(90_000);
});
