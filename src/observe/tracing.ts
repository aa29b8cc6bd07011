// Spans for OpenTelemetry: a call, its attempts at the provider, the store's transactions. Made from the core's events
// after they ended, so that nothing waits for a span. Loaded only when OTEL_EXPORTER_OTLP_ENDPOINT is set.

import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Clock } from '../core/ports/clock.ts';
import type { EventNamed, Observer, ServiceEvent } from '../core/ports/observer.ts';
import { withoutUndefined } from '../core/without-undefined.ts';

/** Where a collector takes OTLP over HTTP, below its base URL (OpenTelemetry Protocol Exporter, "Endpoint URLs"). */
const PATH = '/v1/traces';
/** A collector that does not answer must not delay the end of the process. */
const EXPORT_TIMEOUT_MS = 1_000;
/** Further spans are dropped, for example while the collector is down. */
const MAX_WAITING = 8_192;
/** A repeat is a span of its own in the trace of the first call. */
const REPEATED = 'duplicate';

export interface Tracing {
  readonly observer: Observer;
  /** Sends what waits, for a second at most. Never rejects. */
  close(): Promise<void>;
}

export interface TracingOptions {
  /** The base URL of the collector. */
  readonly endpoint: string;
  readonly version: string;
  readonly clock: Clock;
}

export function startTracing({ endpoint, version, clock }: TracingOptions): Tracing {
  const ids = new GivenIds();
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}${PATH}`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new TracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({ 'service.name': 'nds', 'service.version': version }).merge(
      detectResources({ detectors: [serviceNameEnvDetector, resourceAttributesEnvDetector] }),
    ),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: MAX_WAITING,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('nds', version);
  const record = (span: EndedSpan): void => {
    const endMs = clock.wallMs();
    ids.next = span.ids;
    const { name, kind, attributes } = span;
    const options = { kind, attributes, startTime: endMs - span.durationMs };
    const made = tracer.startSpan(name, options, span.parent ?? ROOT_CONTEXT);
    if (span.isFailed) made.setStatus({ code: SpanStatusCode.ERROR });
    made.end(endMs);
  };
  return {
    observer: {
      observe: (event) => {
        const span = spanOf(event);
        if (span !== undefined) record(span);
      },
    },
    close: async () => {
      const { promise: over, resolve } = Promise.withResolvers<void>();
      const timer = clock.after(EXPORT_TIMEOUT_MS, resolve);
      await Promise.race([provider.shutdown().catch(() => {}), over]);
      timer.cancel();
    },
  };
}

interface SpanIds {
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}

interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly isFailed: boolean;
  readonly parent?: Context | undefined;
  readonly ids: SpanIds;
}

function spanOf(event: ServiceEvent): EndedSpan | undefined {
  switch (event.name) {
    case 'request_answered':
      return event.isCall ? callSpan(event) : undefined;
    case 'attempt_ended':
      return attemptSpan(event);
    case 'store_batch_ended':
      return {
        name: 'store batch',
        kind: SpanKind.INTERNAL,
        durationMs: event.durationMs,
        attributes: { 'nds.operations': event.operations },
        isFailed: false,
        ids: {},
      };
    default:
      return undefined;
  }
}

/** The route's pattern and never the path or the query, which hold handles and tokens. */
function callSpan(event: EventNamed<'request_answered'>): EndedSpan {
  const { method, route, status, durationMs, told, code } = event;
  // A repeat has no delivery of its own: it belongs to the trace of the first one.
  const deliveryId = event.deliveries?.[0]?.id ?? event.refused?.[0]?.deliveryId;
  const ids = idsOf(deliveryId);
  return {
    name: `${method} ${route}`,
    kind: SpanKind.SERVER,
    durationMs,
    attributes: withoutUndefined({
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      'nds.delivery_id': deliveryId,
      'nds.told': told,
      'nds.code': code,
    }),
    isFailed: status >= 500,
    ids: told === REPEATED ? { traceId: ids.traceId } : ids,
  };
}

function attemptSpan(event: EventNamed<'attempt_ended'>): EndedSpan {
  const { app, provider, number, latencyMs, outcome, reason, deliveryId } = event;
  const { traceId = '', spanId = '' } = idsOf(deliveryId);
  return {
    name: `push ${provider}`,
    kind: SpanKind.CLIENT,
    durationMs: latencyMs,
    attributes: withoutUndefined({
      'nds.delivery_id': deliveryId,
      'nds.app': app,
      'nds.provider': provider,
      'nds.attempt': number,
      'nds.outcome': outcome,
      'nds.reason': reason,
    }),
    isFailed: outcome !== 'delivered',
    parent: trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED }),
    ids: {},
  };
}

/**
 * A delivery's id is its trace's id, and its second half the id of the call's span. So a delivery's trace can be found
 * without a search, and an attempt long after the call belongs to it without anything in memory.
 */
function idsOf(deliveryId: string | undefined): SpanIds {
  if (deliveryId === undefined) return {};
  const traceId = deliveryId.replaceAll('-', '');
  return { traceId, spanId: traceId.slice(16) };
}

/** Random ids, except for a span whose ids are given. */
class GivenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  next: SpanIds = {};

  generateTraceId(): string {
    return this.next.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next.spanId ?? this.#random.generateSpanId();
  }
}
