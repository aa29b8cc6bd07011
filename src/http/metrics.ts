// GET /metrics, on a port of its own that callers cannot reach.

import { Hono } from 'hono';
import type { Observer } from '../core/ports/observer.ts';
import type { App } from './app.ts';
import type { HttpEnv } from './context.ts';

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

export function createMetricsApp({
  page,
  observer,
}: {
  readonly page: () => Promise<MetricsPage>;
  readonly observer: Observer;
}): App {
  const app = new Hono<HttpEnv>();
  app.get('/metrics', async (c) => {
    const { contentType, text } = await page();
    return c.body(text, 200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
  });
  app.notFound((c) => c.text('Only GET /metrics is served here.\n', 404));
  app.onError((cause, c) => {
    observer.observe({ name: 'internal_fault', where: 'metrics', cause });
    return c.text('The metrics cannot be read; the log has the cause.\n', 500);
  });
  return app;
}
