// What the service reports: the settings of its log and of its traces.

import { z } from 'zod';
import { webUrl } from './values.ts';

export const OUTPUT_SETTINGS = {
  logLevel: {
    name: 'NDS_LOG_LEVEL',
    group: 'Output',
    help: '`info` writes every delivery, `warn` only problems, `debug` every attempt and request.',
    defaultText: 'info',
    schema: z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error'),
  },
  otlpEndpoint: {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    group: 'Output',
    help: 'The base URL of an OpenTelemetry collector that takes OTLP over HTTP; without it there are no traces. The library reads OTEL_EXPORTER_OTLP_HEADERS and OTEL_SERVICE_NAME itself.',
    example: 'http://localhost:4318',
    schema: webUrl.optional(),
  },
} as const;
