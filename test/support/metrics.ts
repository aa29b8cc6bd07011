// Reads the metrics of a service as Prometheus does.

import type { Setup } from './service.ts';

export const METRICS_ENVIRONMENT = { NDS_METRICS_ADDRESS: '127.0.0.1:0' };

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function readPage({ service }: Setup): Promise<string> {
  const response = await fetch(service.metricsUrl ?? 'missing:');
  return await response.text();
}

export function samplesIn(page: string): readonly Sample[] {
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] =
        /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key = '', text = '']) => [
        key,
        text,
      ]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}

/** The sum of the series that match. */
export async function metric(
  running: Setup,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const found = samplesIn(await readPage(running)).filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
}
