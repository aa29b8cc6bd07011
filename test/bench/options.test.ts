// The arguments of the benchmark: what is measured, and that only this machine can be put under load.

import { expect, test } from 'vitest';
import { MEASURES, parseOptions } from '../../bench/options.ts';

test('measures everything except PostgreSQL by default', () => {
  const options = parseOptions([]);
  expect(options).toMatchObject({ size: 'usual', foreign: undefined });
  expect(options?.measures).toEqual(MEASURES.filter((name) => name !== 'postgres'));
  expect(parseOptions(['--only', 'postgres'])?.measures).toEqual(['postgres']);
  expect(parseOptions(['--only', 'cost,log'])?.measures).toEqual(['cost', 'log']);
  expect(() => parseOptions(['--only', 'speed'])).toThrow();
});

test('takes another gateway on this machine, and leaves out what only nds can do', () => {
  const args = ['--target', 'http://127.0.0.1:8088', '--pid', '4711', '--api', 'gorush'];
  const options = parseOptions(args);
  expect(options?.foreign).toEqual({
    host: '127.0.0.1',
    port: 8088,
    pid: 4711,
    api: 'gorush',
    standIns: { apns: '127.0.0.1:9197', fcm: '127.0.0.1:9198' },
  });
  expect(options?.measures).not.toContain('cold-start');
  expect(options?.measures).not.toContain('events');
  expect(() => parseOptions(['--target', 'http://example.com', '--pid', '4711'])).toThrow(
    'only this machine',
  );
  const elsewhere = ['--target', 'http://127.0.0.1:1', '--fcm', '127.0.0.3:443'];
  expect(parseOptions(elsewhere)?.foreign).toMatchObject({
    pid: undefined,
    standIns: { apns: '127.0.0.1:9197', fcm: '127.0.0.3:443' },
  });
  expect(() => parseOptions([...elsewhere, '--apns', '10.0.0.1:443'])).toThrow('loopback');
});
