// Traces, if OTEL_EXPORTER_OTLP_ENDPOINT is set; OpenTelemetry's libraries are loaded only then.

import type { Config } from '../../config/config.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Tracing } from '../../observe/tracing.ts';
import { readVersion } from './version.ts';

export async function startTraces(
  { otlpEndpoint }: Pick<Config, 'otlpEndpoint'>,
  clock: Clock,
): Promise<Tracing | undefined> {
  if (otlpEndpoint === undefined) return undefined;
  const { startTracing } = await import('../../observe/tracing.ts');
  return startTracing({ endpoint: otlpEndpoint, version: readVersion(), clock });
}
